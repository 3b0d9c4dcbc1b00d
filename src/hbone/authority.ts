/** What a CONNECT request asks for (facts ztunnel-wire 8.1, steps 2 and 3). */
import { fail, ok, type Result } from '../base/result.ts';
import type { Header } from '../http2/header.ts';
import { formatAddress, type IpAddress, parseIpAddress } from '../model/address.ts';
import { type Port, parsePort } from '../model/port.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

/** The `:authority` of a request. */
export type Authority =
  | { readonly kind: 'address'; readonly ip: IpAddress; readonly port: Port; readonly text: string }
  | { readonly kind: 'hostname'; readonly hostname: string; readonly port: Port; readonly text: string };

const HOSTNAME = /^(?=.{1,253}$)[A-Za-z0-9_*]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;

/** Checks the method and reads the authority. */
export function readConnect(headers: readonly Header[]): Result<Authority, ProxyError> {
  const method = headerValue(headers, ':method') ?? '';
  if (method !== 'CONNECT') return fail(proxyError('NOT_CONNECT', `expected method CONNECT, got ${method}`));
  const text = headerValue(headers, ':authority');
  if (text === undefined) return fail(proxyError('INVALID_AUTHORITY', 'no valid authority pseudo header: missing'));
  const authority = parseAuthority(text);
  if (authority !== undefined) return ok(authority);
  return fail(proxyError('INVALID_AUTHORITY', `invalid CONNECT address ${text.slice(0, 300)}`));
}

/** The first value of a header. */
export function headerValue(headers: readonly Header[], wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}

/** `ip:port`, `[v6]:port` or `hostname:port`; the port is mandatory. */
export function parseAuthority(text: string): Authority | undefined {
  const colon = text.lastIndexOf(':');
  const port = colon < 0 ? undefined : parsePort(text.slice(colon + 1));
  if (port === undefined) return undefined;
  const host = text.slice(0, colon);
  if (host.startsWith('[')) {
    const ip = host.endsWith(']') ? parseIpAddress(host.slice(1, -1)) : undefined;
    return ip && { kind: 'address', ip, port, text };
  }
  if (host.includes(':')) return undefined;
  const ip = parseIpAddress(host);
  if (ip !== undefined) return { kind: 'address', ip, port, text };
  // Digits and dots alone are a broken address, not a name.
  if (!HOSTNAME.test(host) || /^[\d.]+$/.test(host)) return undefined;
  return { kind: 'hostname', hostname: host.toLowerCase(), port, text };
}

/** The address that the request was for, as logs print it. */
export function authorityText(authority: Authority): string {
  return authority.kind === 'address' ? formatAddress(authority.ip, authority.port) : authority.text;
}
