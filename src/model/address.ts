/**
 * IP addresses and CIDR blocks as the mesh compares them.
 *
 * Invariants:
 * - An `IpAddress` is canonical text: dotted decimal for v4, RFC 5952 for v6; an IPv4-mapped v6 address is its v4 form
 *   (facts ztunnel-wire 1.2). So equal addresses are equal strings, and strings are map keys.
 * - A zone id (`fe80::1%eth0`) is never part of an `IpAddress`.
 */
import { isIP, isIPv4 } from 'node:net';

declare const ipBrand: unique symbol;
/** An IP address in canonical text. */
export type IpAddress = string & { readonly [ipBrand]: true };

/** A CIDR block; `bytes` has the host bits cleared. */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

const MAPPED_PREFIX = '::ffff:';
/** The code of the digit; that of the dot is below. */
const ZERO = 0x30;

/** Reads an address in any valid spelling; undefined when it is none. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return text as IpAddress;
  if (isIP(text) !== 6 || text.includes('%')) return undefined;
  return ipFromBytes(v6Bytes(text));
}

/** The address of 4 or 16 bytes in network order; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  if (bytes.length !== 16) return undefined;
  if (isMapped(bytes)) return bytes.subarray(12).join('.') as IpAddress;
  return v6Text(bytes) as IpAddress;
}

/** The 4 or 16 bytes of an address, in network order. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  return isV4(ip) ? v4Bytes(ip) : v6Bytes(ip);
}

/** Whether the address is of the IPv4 family. */
export function isV4(ip: IpAddress): boolean {
  return !ip.includes(':');
}

/** Whether the address is in 127.0.0.0/8 or is ::1. */
export function isLoopback(ip: IpAddress): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/** Whether the address means something on one machine or link only: loopback, unspecified, link-local (RFC 6890). */
export function isLocalOnly(ip: IpAddress): boolean {
  return isLoopback(ip) || ip === '::' || /^(?:0\.|169\.254\.|fe[89ab][0-9a-f]:)/.test(ip);
}

/** The canonical form of an address that the kernel or Node printed (`::ffff:10.0.0.1`, `fe80::1%eth0`). */
export function canonicalIp(text: string): IpAddress {
  if (text.startsWith(MAPPED_PREFIX) && isIPv4(text.slice(MAPPED_PREFIX.length))) {
    return text.slice(MAPPED_PREFIX.length) as IpAddress;
  }
  const zone = text.indexOf('%');
  return (zone < 0 ? text : text.slice(0, zone)) as IpAddress;
}

/** `ip:port`, with brackets round a v6 address. */
export function formatAddress(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** Reads `ip`, or `ip/length`; undefined when it is neither. Host bits are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const ip = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (ip === undefined) return undefined;
  const bytes = ipToBytes(ip);
  if (slash < 0) return { bytes, prefixLength: bytes.length * 8 };
  const length = text.slice(slash + 1);
  return /^\d{1,3}$/.test(length) ? makeCidr(bytes, Number(length)) : undefined;
}

/** A block of `bytes` (4 or 16) and a prefix length in bits; undefined when they do not fit. */
export function makeCidr(bytes: Uint8Array, prefixLength: number): Cidr | undefined {
  if ((bytes.length !== 4 && bytes.length !== 16) || prefixLength > bytes.length * 8) return undefined;
  const masked = Uint8Array.from(bytes);
  for (let index = 0; index < masked.length; index++) {
    const keep = Math.min(8, Math.max(0, prefixLength - index * 8));
    masked[index] = (masked[index] ?? 0) & (0xff << (8 - keep));
  }
  return { bytes: masked, prefixLength };
}

/** Whether the block holds the address of these bytes. Families never match each other. */
export function cidrContains(cidr: Cidr, address: Uint8Array): boolean {
  if (cidr.bytes.length !== address.length) return false;
  const whole = cidr.prefixLength >> 3;
  for (let index = 0; index < whole; index++) {
    if (cidr.bytes[index] !== address[index]) return false;
  }
  const rest = cidr.prefixLength & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((address[whole] ?? 0) & mask) === cidr.bytes[whole];
}

/** `address/length` in canonical text. */
export function formatCidr(cidr: Cidr): string {
  return `${ipFromBytes(cidr.bytes) ?? ''}/${cidr.prefixLength}`;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let index = 0; index < 10; index++) if (bytes[index] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Of valid text. Each connection's addresses are read so: parts of their own would cost ten times as much. */
function v4Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  let index = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0) index += 1;
    else bytes[index] = (bytes[index] ?? 0) * 10 + digit;
  }
  return bytes;
}

function v6Bytes(text: string): Uint8Array {
  const [head = '', tail] = expandEmbeddedV4(text).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const bytes = new Uint8Array(16);
  for (const [index, group] of groups.entries()) {
    const value = Number.parseInt(group, 16);
    bytes[index * 2] = value >> 8;
    bytes[index * 2 + 1] = value & 0xff;
  }
  return bytes;
}

function expandEmbeddedV4(text: string): string {
  const last = text.lastIndexOf(':');
  if (!text.includes('.', last)) return text;
  const [a = 0, b = 0, c = 0, d = 0] = v4Bytes(text.slice(last + 1));
  return `${text.slice(0, last + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function v6Text(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** The blocks that the texts name; what is none is left out, as it was refused when it was read. */
export function parseCidrs(texts: readonly string[]): Cidr[] {
  return texts.map(parseCidr).filter((cidr) => cidr !== undefined);
}
