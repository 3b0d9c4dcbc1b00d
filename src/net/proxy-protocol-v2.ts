/**
 * The PROXY protocol version 2 header (proxy-protocol.txt 2.2), TCP only.
 *
 * Invariants of the parser: it never throws, never reads past its input, and never asks for more than
 * `MAX_HEADER_BYTES`; a header it accepts has a consistent length and complete TLVs.
 */
import { ipFromBytes, ipToBytes, parseIpAddress } from '../model/address.ts';
import type { Endpoint } from '../native/endpoint.ts';

/** TLV with the SPIFFE id of the client (facts ztunnel-wire 7.6). */
export const TLV_PEER_IDENTITY = 0xd0;

/** More than any real header: addresses, a SPIFFE id of 2048 bytes and room for other TLVs. */
export const MAX_HEADER_BYTES = 4096;

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const FIXED_BYTES = 16;
const VERSION_2 = 0x20;
const COMMAND_LOCAL = 0x0;
const COMMAND_PROXY = 0x1;
const FAMILY_UNSPEC = 0x00;
const FAMILY_TCP4 = 0x11;
const FAMILY_TCP6 = 0x21;
const V4_MAPPED_PREFIX = Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff])]);
const TLV_HEAD_BYTES = 3;

export interface ProxyHeader {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** SPIFFE URI of the client, when it has proved one. */
  readonly peerIdentity?: string;
}

/** What a parser saw. `local` is a health check of the sender: the addresses of the connection count. */
export type ProxyHeaderResult =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'local'; readonly headerBytes: number }
  | { readonly kind: 'proxy'; readonly headerBytes: number; readonly header: ProxyHeader }
  | { readonly kind: 'invalid'; readonly reason: string };

/**
 * The header as bytes. Addresses of different families are both written as IPv6.
 * @returns undefined when an address is none or the header would be too long
 */
export function encodeProxyHeader({ source, destination, peerIdentity }: ProxyHeader): Buffer | undefined {
  const both4 = !source.address.includes(':') && !destination.address.includes(':');
  const from = addressBytes(source.address, both4);
  const to = addressBytes(destination.address, both4);
  if (from === undefined || to === undefined) return undefined;
  const identity = peerIdentity === undefined ? undefined : Buffer.from(peerIdentity);
  const tlvBytes = identity === undefined ? 0 : TLV_HEAD_BYTES + identity.length;
  const length = from.length * 2 + 4 + tlvBytes;
  if (FIXED_BYTES + length > MAX_HEADER_BYTES) return undefined;

  const header = Buffer.alloc(FIXED_BYTES + length);
  SIGNATURE.copy(header);
  header[12] = VERSION_2 | COMMAND_PROXY;
  header[13] = both4 ? FAMILY_TCP4 : FAMILY_TCP6;
  header.writeUInt16BE(length, 14);
  header.set(from, FIXED_BYTES);
  header.set(to, FIXED_BYTES + from.length);
  const ports = FIXED_BYTES + from.length * 2;
  header.writeUInt16BE(source.port, ports);
  header.writeUInt16BE(destination.port, ports + 2);
  if (identity !== undefined) {
    header[ports + 4] = TLV_PEER_IDENTITY;
    header.writeUInt16BE(identity.length, ports + 5);
    identity.copy(header, ports + 7);
  }
  return header;
}

/** The address on the wire; IPv4 becomes IPv4-mapped when the other address is IPv6. */
function addressBytes(text: string, asV4: boolean): Uint8Array | undefined {
  const ip = parseIpAddress(text);
  if (ip === undefined) return undefined;
  const bytes = ipToBytes(ip);
  if (asV4 || bytes.length === 16) return bytes;
  return Buffer.concat([V4_MAPPED_PREFIX, bytes]);
}

/** Parses the beginning of a stream. */
export function parseProxyHeader(input: Buffer): ProxyHeaderResult {
  const seen = Math.min(input.length, SIGNATURE.length);
  if (input.compare(SIGNATURE, 0, seen, 0, seen) !== 0) return invalid('no PROXY v2 signature');
  if (input.length < FIXED_BYTES) return { kind: 'incomplete' };
  const versionAndCommand = input[12] ?? 0;
  if ((versionAndCommand & 0xf0) !== VERSION_2) return invalid('version is not 2');
  const command = versionAndCommand & 0x0f;
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) return invalid('unknown command');
  const headerBytes = FIXED_BYTES + input.readUInt16BE(14);
  if (headerBytes > MAX_HEADER_BYTES) return invalid(`header of ${headerBytes} bytes is too long`);
  if (input.length < headerBytes) return { kind: 'incomplete' };
  if (command === COMMAND_LOCAL) return { kind: 'local', headerBytes };
  return parseAddresses(input.subarray(0, headerBytes));
}

function invalid(reason: string): ProxyHeaderResult {
  return { kind: 'invalid', reason };
}

function parseAddresses(input: Buffer): ProxyHeaderResult {
  const family = input[13];
  // The sender does not know the addresses: those of the connection count, as with LOCAL.
  if (family === FAMILY_UNSPEC) return { kind: 'local', headerBytes: input.length };
  if (family !== FAMILY_TCP4 && family !== FAMILY_TCP6) return invalid('not TCP over IPv4 or IPv6');
  const width = family === FAMILY_TCP4 ? 4 : 16;
  const ports = FIXED_BYTES + width * 2;
  if (input.length < ports + 4) return invalid('addresses are cut off');
  const tlvs = parseTlvs(input.subarray(ports + 4));
  if (tlvs === undefined) return invalid('a TLV is cut off');
  const source = readEndpoint(input, FIXED_BYTES, width, ports);
  const destination = readEndpoint(input, FIXED_BYTES + width, width, ports + 2);
  return { kind: 'proxy', headerBytes: input.length, header: { source, destination, ...tlvs } };
}

function readEndpoint(input: Buffer, at: number, width: 4 | 16, portAt: number): Endpoint {
  return { address: ipFromBytes(input.subarray(at, at + width)) ?? '', port: input.readUInt16BE(portAt) };
}

/** Walks all TLVs; the identity is the first of its type. Undefined when one runs over the end. */
function parseTlvs(input: Buffer): { peerIdentity?: string } | undefined {
  let identity: string | undefined;
  let at = 0;
  while (at < input.length) {
    if (input.length - at < TLV_HEAD_BYTES) return undefined;
    const end = at + TLV_HEAD_BYTES + input.readUInt16BE(at + 1);
    if (end > input.length) return undefined;
    if (input[at] === TLV_PEER_IDENTITY) identity ??= input.toString('utf8', at + TLV_HEAD_BYTES, end);
    at = end;
  }
  return identity === undefined ? {} : { peerIdentity: identity };
}
