/** How proxies connect to the next hop, and what became of it. */
import type { Socket } from 'node:net';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Result } from '../base/result.ts';
import type { ReadInto } from '../net/inbound-connection.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
}

export interface DialerOptions {
  /** Where reads go from the beginning, in place of the socket's `data` events. */
  readonly readInto?: ReadInto;
}

/** Opens TCP connections, within the connect timeout, wherever the proxy's side of them is. */
export interface Dialer {
  dial(destination: Address, options?: DialerOptions): Promise<Result<Socket, ProxyError>>;
}

/** Why a connection did not come up. */
export function connectError(error: unknown): ProxyError {
  return proxyError('CONNECT_FAILED', `connection failed: ${errorText(error)}`, { cause: error });
}

/** Whether a failed connect got no answer at all: dropped packets rather than a refusal. */
export function isConnectTimeout(error: ProxyError): boolean {
  return error.cause instanceof AmbitError && error.cause.code === 'CONNECT_TIMEOUT';
}
