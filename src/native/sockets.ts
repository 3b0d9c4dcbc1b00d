/** Native sockets and descriptors as functions that return a value or throw an AmbitError. */
import { fstatSync } from 'node:fs';
import { nativeAddon, type OpenSocketOptions, type StreamSocketOptions } from './addon.ts';
import type { Endpoint } from './endpoint.ts';
import { fromErrno } from './from-errno.ts';

function describe(kind: string, options: OpenSocketOptions): string {
  const where =
    options.bind === undefined ? `IPv${options.family}` : `${options.bind.address} port ${options.bind.port}`;
  return `${kind} ${where}${options.netnsFd === undefined ? '' : ' in another network namespace'}`;
}

/**
 * Opens a TCP socket (non-blocking, close-on-exec), in another network namespace when `netnsFd` is given; with
 * `listenBacklog` it listens.
 * @returns the descriptor; the caller owns it
 * @throws AmbitError NATIVE_*
 */
export function openTcpSocket(options: OpenSocketOptions): number {
  const result = nativeAddon().openTcpSocket(options);
  if (result < 0) throw fromErrno(result, describe('TCP socket', options));
  return result;
}

/** Opens a UDP socket, as `openTcpSocket` does. The options of streams do not apply. */
export function openUdpSocket(options: OpenSocketOptions): number {
  const result = nativeAddon().openUdpSocket(options);
  if (result < 0) throw fromErrno(result, describe('UDP socket', options));
  return result;
}

/**
 * The address and port a socket is bound to.
 * @throws AmbitError NATIVE_*
 */
export function localEndpoint(fd: number): Endpoint {
  const result = nativeAddon().localEndpoint(fd);
  if (typeof result === 'number') throw fromErrno(result, `socket ${fd}`);
  return result;
}

/**
 * Sets options of an open socket.
 * @throws AmbitError NATIVE_*
 */
export function setSocketOptions(fd: number, options: StreamSocketOptions & { readonly mark?: number }): void {
  const result = nativeAddon().setSocketOptions(fd, options);
  if (result < 0) throw fromErrno(result, `socket ${fd}`);
}

/**
 * Raises the soft limit of open files to the hard limit.
 * @returns the new limit
 */
export function raiseFileLimit(): number {
  const result = nativeAddon().raiseFileLimit();
  if (result < 0) throw fromErrno(result, 'process');
  return result;
}

/**
 * Has the C library give free memory back to the system, which takes some milliseconds: what lies between pieces in use, of all
 * threads, and what lies behind them of the calling one.
 * @returns whether there was any; false, too, where the library cannot be asked
 */
export function trimMemory(): boolean {
  return nativeAddon().trimMemory();
}

/**
 * Makes connection tracking of a namespace forget every connection that REDIRECT sent to one of the ports. Needs
 * CAP_NET_ADMIN, and nf_conntrack_netlink in the kernel.
 * @returns how many there were
 * @throws AmbitError NATIVE_*
 */
export function dropRedirected(netnsFd: number, ports: readonly number[]): number {
  const result = nativeAddon().dropRedirected(netnsFd, ports);
  if (result < 0) throw fromErrno(result, 'connection tracking');
  return result;
}

/** What tells network namespaces apart. */
export interface NetnsId {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The identity of the network namespace behind a descriptor. Needs no addon. */
export function netnsId(fd: number): NetnsId {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { dev, ino };
}

/**
 * Closes a descriptor that came from the addon: a socket, or one received over SEQPACKET. Descriptors of node:fs are
 * closed by node:fs, which keeps a list of them in worker threads.
 * @throws AmbitError NATIVE_FAILED when it is not open
 */
export function closeFd(fd: number): void {
  const result = nativeAddon().closeFd(fd);
  if (result < 0) throw fromErrno(result, `descriptor ${fd}`);
}
