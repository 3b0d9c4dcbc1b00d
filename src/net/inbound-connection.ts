/**
 * An accepted connection before anybody decided about it: its addresses are known, no Node socket exists yet.
 *
 * Invariant: exactly one of `open` and `reject` is called, once; until then the connection holds a descriptor.
 */
import { type OnReadOpts, Socket } from 'node:net';
import { canonicalIp } from '../model/address.ts';
import type { AcceptedRecord } from '../native/addon.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { closeFd } from '../native/sockets.ts';

/** Reads into one reused buffer: the callback gets the length, and returns false to pause. */
export type ReadInto = OnReadOpts & { readonly buffer: Uint8Array };

export interface InboundConnection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** The destination before REDIRECT; the local address when nothing was redirected. */
  readonly originalDestination: Endpoint;
  /** The connection as a Node socket with `allowHalfOpen`. Reading starts at once when `readInto` is given. */
  open(readInto?: ReadInto): Socket;
  /** Closes it without having read anything. */
  reject(): void;
}

/** A connection accepted by the addon. */
export class NativeInboundConnection implements InboundConnection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly originalDestination: Endpoint;
  readonly #fd: number;
  #isDecided = false;

  constructor(record: AcceptedRecord) {
    this.#fd = record.fd;
    this.peer = { address: record.peerAddress, port: record.peerPort };
    this.local = { address: record.localAddress, port: record.localPort };
    this.originalDestination =
      record.originalAddress === undefined || record.originalPort === undefined
        ? this.local
        : { address: record.originalAddress, port: record.originalPort };
  }

  open(readInto?: ReadInto): Socket {
    const socket = new Socket({
      fd: this.#fd,
      readable: true,
      writable: true,
      allowHalfOpen: true,
      ...(readInto === undefined ? {} : { onread: readInto }),
    });
    this.#isDecided = true;
    return socket;
  }

  reject(): void {
    this.#isDecided = true;
    closeFd(this.#fd);
  }

  /** Rejects it where its handler failed before it decided. */
  abandon(): void {
    if (!this.#isDecided) this.reject();
  }
}

function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  return { address: canonicalIp(address ?? ''), port: port ?? 0 };
}

/** A connection accepted by node:net, for use without the addon. What arrives before `open` is buffered. */
export class NodeInboundConnection implements InboundConnection {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly originalDestination: Endpoint;
  readonly #socket: Socket;
  #isOpened = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.peer = endpoint(socket.remoteAddress, socket.remotePort);
    this.local = endpoint(socket.localAddress, socket.localPort);
    this.originalDestination = this.local;
  }

  open(readInto?: ReadInto): Socket {
    const socket = this.#socket;
    this.#isOpened = true;
    if (readInto === undefined) return socket;
    socket.on('data', (chunk: Buffer) => {
      if (!readInto.callback(chunk.length, chunk)) socket.pause();
    });
    return socket;
  }

  reject(): void {
    this.#socket.destroy();
  }

  /** Rejects it where its handler failed before it decided. */
  abandon(): void {
    if (!this.#isOpened) this.reject();
  }
}
