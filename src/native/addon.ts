/**
 * The only loader of build/Release/ambit.node, and the declared shape of what it exports.
 *
 * The addon is optional: it is loaded at the first call, so code that needs no native socket runs without it. Numbers
 * below zero are failures; `from-errno.ts` reads them. Only files of this folder call these functions directly.
 */
import { createRequire } from 'node:module';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Endpoint } from './endpoint.ts';

/** TCP keep-alive of a stream. */
export interface KeepAliveOptions {
  /** Silence before the first probe. */
  readonly idleSec: number;
  readonly intervalSec: number;
  /** Unanswered probes after which the connection is dead. */
  readonly probes: number;
}

/** Options of a TCP stream. */
export interface StreamSocketOptions {
  readonly noDelay?: boolean;
  readonly keepAlive?: KeepAliveOptions | undefined;
  /** TCP_USER_TIMEOUT: how long sent data may stay unacknowledged. */
  readonly userTimeoutMs?: number | undefined;
}

/** Options of a new socket. */
export interface OpenSocketOptions extends StreamSocketOptions {
  readonly family: 4 | 6;
  /** Descriptor of the network namespace to open the socket in. Default: the thread's own. */
  readonly netnsFd?: number | undefined;
  /** SO_MARK. */
  readonly mark?: number | undefined;
  /** IP_TRANSPARENT; 'best-effort' goes on without when the kernel refuses. */
  readonly transparent?: 'required' | 'best-effort' | undefined;
  /** IP_FREEBIND: bind to an address the host does not have. */
  readonly freebind?: boolean;
  readonly bind?: Endpoint | undefined;
  /** Ports that are tried in their order before that of `bind`. */
  readonly bindPorts?: readonly number[] | undefined;
  /** Default false: an IPv6 socket serves IPv4 as well, whatever the sysctl says. */
  readonly v6Only?: boolean;
  readonly reusePort?: boolean;
  /** Makes a TCP socket listen. */
  readonly listenBacklog?: number;
}

/** One accepted connection, as flat as the addon builds it. Whoever holds the record owns the descriptor. */
export interface AcceptedRecord {
  readonly fd: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly originalAddress?: string;
  readonly originalPort?: number;
}

/** A packet with the descriptors that came with it; the receiver closes them. */
export interface SeqpacketMessage {
  readonly bytes: Buffer;
  readonly fds: readonly number[];
}

/** Tells when a descriptor is readable (1) or writable (2), and owns the descriptor. */
export interface FdWatch {
  /** Starts watching for the events of `mask`; 0 stops. Returns 0 or a failure. */
  watch(mask: number): number;
  /** Closes the descriptor. */
  close(): void;
  /** Stops watching; the descriptor is the caller's again. */
  release(): void;
}

/** Options of a raw ICMP socket. */
export interface IcmpSocketOptions {
  readonly family: 4 | 6;
  readonly netnsFd?: number;
  readonly mark?: number;
  /** The one address that it sends to and hears. */
  readonly destination: string;
}

/** An ICMP socket, and the MTU of the interface that it sends through. */
export interface IcmpSocketRecord {
  readonly fd: number;
  readonly linkMtuBytes: number;
}

/** Protects or opens TLS 1.3 records in one direction; a mistake in its use ends in a failure, never in a wrong record. */
export interface NativeRecordKeys {
  /**
   * Opens whole records, as many as there are before one that is not application data, or is empty.
   * @param out at least as long as `bytes`; application data goes to its beginning, another record's content behind it
   * @param result gets: bytes read, bytes of application data, type of the other record or 0, its length
   * @returns 0, or the alert to end the connection with
   */
  open(bytes: Uint8Array, out: Uint8Array, result: Int32Array): number;
  /** @param type content type (RFC 8446 5.1) */
  seal(type: number, bytes: Uint8Array): Buffer | undefined;
  /** Seals application data and sends it without waiting: 0, a failure, or what the kernel did not take. */
  sealAndSend(fd: number, bytes: Uint8Array): number | Buffer;
  /** Goes on to the next keys. @returns the KeyUpdate that says so, where the direction writes; else whether it worked */
  update(): Buffer | boolean | undefined;
}

/** What the addon exports. */
export interface NativeAddon {
  openTcpSocket(options: OpenSocketOptions): number;
  openUdpSocket(options: OpenSocketOptions): number;
  closeFd(fd: number): number;
  acceptBatch(listenFd: number, maxCount: number, originalDst: boolean, out: AcceptedRecord[]): number;
  /** Accepts from a listener of any family: a descriptor or a failure. */
  acceptOne(listenFd: number): number;
  localEndpoint(fd: number): Endpoint | number;
  /** Connects, without waiting: 1 once it is connected, 0 while that is under way, or a failure. */
  connectNow(fd: number, address: string, port: number): number;
  /** Sends without waiting: the count of bytes taken, 0 when the kernel takes none now, or a failure. */
  sendNow(fd: number, bytes: Uint8Array): number;
  /** Has the close of a socket reset its connection. */
  resetOnClose(fd: number): number;
  setSocketOptions(fd: number, options: StreamSocketOptions & { readonly mark?: number }): number;
  raiseFileLimit(): number;
  /** Whether pages of the program's file are no longer resident for this process. */
  releaseProgram(): boolean;
  /** Whether the C library gave free memory back to the system. */
  trimMemory(): boolean;
  dropRedirected(netnsFd: number, ports: readonly number[]): number;
  openIcmpSocket(options: IcmpSocketOptions): IcmpSocketRecord | number;
  /** What the kernel knows of the way to the destination of a connected socket, in bytes, or a failure. */
  pathMtu(fd: number): number;
  /** A packet, cut at so many bytes, or a failure. */
  receiveNow(fd: number, maxBytes: number): Buffer | number;
  seqpacketListen(path: string, backlog: number): number;
  seqpacketConnect(path: string): number;
  seqpacketSend(fd: number, bytes: Uint8Array, passedFd: number): number;
  seqpacketReceive(fd: number): SeqpacketMessage | number;
  readonly FdWatch: new (fd: number, onEvent: (event: number) => void) => FdWatch;
  readonly RecordKeys: new (
    keyBits: 128 | 256,
    secret: Uint8Array,
    writes: boolean,
    sequence: number,
    maxRecords: number,
  ) => NativeRecordKeys;
}

/** From src/native and from dist/native the build folder is the same two steps up. */
const ADDON_PATH = '../../build/Release/ambit.node';

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws AmbitError NATIVE_ADDON_MISSING when it was not built or does not fit this Node.
 */
export function nativeAddon(): NativeAddon {
  if (loaded !== undefined) return loaded;
  try {
    // Node-API addons are not ES modules. Each worker thread gets its own instance.
    loaded = createRequire(import.meta.url)(ADDON_PATH) as NativeAddon;
    return loaded;
  } catch (cause) {
    throw new AmbitError(
      'NATIVE_ADDON_MISSING',
      `the native addon build/Release/ambit.node cannot be loaded (${errorText(cause).split('\n', 1)[0]}); it opens sockets in other network namespaces: build it with \`make build\``,
      { cause },
    );
  }
}

/** Whether the addon can be used: for code that has another way without it. */
export function hasNativeAddon(): boolean {
  try {
    nativeAddon();
    return true;
  } catch {
    // Missing is an answer here, not a failure.
    return false;
  }
}
