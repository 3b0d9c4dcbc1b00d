/** The one translator of the errors of node:net and node:dgram. */
import { AmbitError, errorText, systemErrorCode } from '../base/errors.ts';
import type { Endpoint } from '../native/endpoint.ts';

/** Why a connection was not established. */
export type ConnectErrorCode =
  | 'CONNECT_TIMEOUT'
  | 'CONNECT_REFUSED'
  | 'CONNECT_RESET'
  | 'CONNECT_UNREACHABLE'
  | 'CONNECT_NO_SOURCE_PORT'
  | 'CONNECT_NO_DESCRIPTORS'
  | 'CONNECT_ABORTED'
  | 'CONNECT_FAILED';

/** Why a socket does not listen. */
export type ListenErrorCode =
  | 'LISTEN_ADDRESS_IN_USE'
  | 'LISTEN_ADDRESS_UNAVAILABLE'
  | 'LISTEN_PERMISSION'
  | 'LISTEN_FAILED';

interface Meaning<C> {
  readonly code: C;
  readonly text: string;
}

const CONNECT: Readonly<Record<string, Meaning<ConnectErrorCode>>> = {
  ECONNREFUSED: { code: 'CONNECT_REFUSED', text: 'nothing listens on this port' },
  ECONNRESET: { code: 'CONNECT_RESET', text: 'the peer reset the connection while it was being set up' },
  ETIMEDOUT: { code: 'CONNECT_TIMEOUT', text: 'no answer to SYN: host down, or packets dropped on the way' },
  EHOSTUNREACH: { code: 'CONNECT_UNREACHABLE', text: 'no route to the host, or a firewall rejects' },
  ENETUNREACH: { code: 'CONNECT_UNREACHABLE', text: 'no route to this network in the namespace' },
  EADDRNOTAVAIL: { code: 'CONNECT_NO_SOURCE_PORT', text: 'no source port left towards this destination' },
  EADDRINUSE: { code: 'CONNECT_NO_SOURCE_PORT', text: 'no source port left towards this destination' },
  EMFILE: { code: 'CONNECT_NO_DESCRIPTORS', text: 'the process is at its limit of open files' },
  ENFILE: { code: 'CONNECT_NO_DESCRIPTORS', text: 'the machine is at its limit of open files' },
};

const LISTEN: Readonly<Record<string, Meaning<ListenErrorCode>>> = {
  EADDRINUSE: { code: 'LISTEN_ADDRESS_IN_USE', text: 'another process has this address and port' },
  EADDRNOTAVAIL: { code: 'LISTEN_ADDRESS_UNAVAILABLE', text: 'this machine does not have the address' },
  EACCES: { code: 'LISTEN_PERMISSION', text: 'ports below 1024 need CAP_NET_BIND_SERVICE' },
};

/** An endpoint as text, `10.0.0.1:80` or `[::1]:80`. */
export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A failed connect. Nothing was sent yet, so what is idempotent may be tried again. */
export function fromConnectError(error: unknown, destination: Endpoint): AmbitError<ConnectErrorCode> {
  const meaning = CONNECT[systemErrorCode(error)] ?? { code: 'CONNECT_FAILED' as const, text: errorText(error) };
  return new AmbitError(meaning.code, `connect to ${endpointText(destination)}: ${meaning.text}`, {
    side: meaning.code === 'CONNECT_NO_DESCRIPTORS' ? 'internal' : 'upstream',
    retry: 'idempotent',
    cause: error,
  });
}

/** A failed listen. */
export function fromListenError(error: unknown, endpoint: Endpoint): AmbitError<ListenErrorCode> {
  const meaning = LISTEN[systemErrorCode(error)] ?? { code: 'LISTEN_FAILED' as const, text: errorText(error) };
  return new AmbitError(meaning.code, `listen on ${endpointText(endpoint)}: ${meaning.text}`, { cause: error });
}

/** How sockets say that their peer left in the middle; ordinary for tunnels (facts ztunnel-wire 7.7). */
const ORDINARY_ENDS: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ENOTCONN']);

/** Whether an error of a copy loop is a normal close rather than a failure to report. */
export function isOrdinaryEnd(error: unknown): boolean {
  return ORDINARY_ENDS.has(systemErrorCode(error));
}
