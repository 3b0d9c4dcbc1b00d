/**
 * Writing of DNS answers.
 *
 * Invariants:
 * - The question is repeated byte for byte, so a client that mixes case as a check finds its own mixture.
 * - A message is never longer than asked: records that do not fit are left out and, where the client can ask again over
 *   TCP, TC says so.
 */
import type { IpAddress } from '../model/address.ts';
import { ipToBytes } from '../model/address.ts';
import type { DnsHeader, DnsQuery } from './dns-message.ts';
import { DNS_HEADER_BYTES, nameLabels, splitLabels } from './dns-name.ts';
import { CLASS_IN, RECORD_TYPE } from './record-type.ts';

/** One record of an answer, in class IN. */
export interface DnsAnswer {
  readonly name: string;
  readonly ttlSec: number;
  readonly data:
    | { readonly kind: 'address'; readonly address: IpAddress }
    | { readonly kind: 'cname'; readonly target: string };
}

export interface DnsReply {
  readonly query: DnsQuery;
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly DnsAnswer[];
  /** How the client asked; decides how long the message may be. */
  readonly transport: DnsTransport;
  /** Set TC although nothing was left out here. */
  readonly truncated?: boolean;
}

export type DnsTransport = 'udp' | 'tcp';

/** What a client without EDNS takes over UDP (RFC 1035 4.2.1). */
export const MIN_UDP_BYTES = 512;
/** More is not sent over UDP whatever the client offers: such answers belong on TCP. */
export const MAX_UDP_BYTES = 4096;
export const MAX_MESSAGE_BYTES = 65535;
const OPT_BYTES = 11;
/** Pointers have 14 bits behind two that mark them. */
const POINTER_END = 0x4000;
const POINTER_MARK = 0xc000;

/** The longest message that the client of this query takes. */
export function maxReplyBytes(query: DnsQuery, transport: DnsTransport): number {
  if (transport === 'tcp') return MAX_MESSAGE_BYTES;
  return Math.min(MAX_UDP_BYTES, Math.max(MIN_UDP_BYTES, query.edns?.payloadBytes ?? 0));
}

/** The bytes of an answer. Records whose name is no DNS name are left out. */
export function encodeDnsReply(reply: DnsReply): Buffer {
  const { query, answers, transport } = reply;
  const budget = maxReplyBytes(query, transport) - (query.edns === undefined ? 0 : OPT_BYTES);
  const writer = new MessageWriter(query);
  let written = 0;
  let full = false;
  for (const answer of answers) {
    const end = writer.length;
    if (!writer.writeAnswer(answer)) {
      writer.length = end;
      continue;
    }
    if (writer.length > budget) {
      writer.length = end;
      full = true;
      break;
    }
    written++;
  }
  if (query.edns !== undefined) writer.writeOption(query.edns, reply.rcode);
  const truncated = reply.truncated === true || (full && transport === 'udp');
  return writer.finish(flagsOf(query, { ...reply, truncated }), written, query.edns === undefined ? 0 : 1);
}

/** A header without sections: for queries that could not be read. Never longer than what was received. */
export function encodeHeaderReply(header: DnsHeader, rcode: number): Buffer {
  const bytes = Buffer.alloc(DNS_HEADER_BYTES);
  bytes.writeUInt16BE(header.id, 0);
  bytes.writeUInt16BE(flagsOf(header, { rcode, authoritative: false, truncated: false, recursionAvailable: true }), 2);
  return bytes;
}

interface Flags {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionAvailable: boolean;
}

function flagsOf({ opcode, recursionDesired, checkingDisabled }: DnsHeader, flags: Flags): number {
  return (
    0x8000 |
    (opcode << 11) |
    (flags.authoritative ? 0x0400 : 0) |
    (flags.truncated ? 0x0200 : 0) |
    (recursionDesired ? 0x0100 : 0) |
    (flags.recursionAvailable ? 0x0080 : 0) |
    (checkingDisabled ? 0x0010 : 0) |
    (flags.rcode & 15)
  );
}

/** A growing message with the names that later ones can point to. */
class MessageWriter {
  /** Bytes written so far; may be set back to drop the last record. */
  length: number;
  readonly #query: DnsQuery;
  readonly #names = new Map<string, number>();
  #bytes: Buffer;

  constructor(query: DnsQuery) {
    this.#query = query;
    this.#bytes = Buffer.allocUnsafe(MIN_UDP_BYTES);
    this.#bytes.set(query.questionBytes, DNS_HEADER_BYTES);
    this.length = DNS_HEADER_BYTES + query.questionBytes.length;
  }

  writeAnswer({ name, ttlSec, data }: DnsAnswer): boolean {
    if (!this.#writeName(name)) return false;
    const address = data.kind === 'address' ? ipToBytes(data.address) : undefined;
    this.#uint16(address === undefined ? RECORD_TYPE.CNAME : address.length === 4 ? RECORD_TYPE.A : RECORD_TYPE.AAAA);
    this.#uint16(CLASS_IN);
    this.#uint16(ttlSec >>> 16);
    this.#uint16(ttlSec & 0xffff);
    const lengthAt = this.length;
    this.#uint16(0);
    if (address !== undefined) this.#append(address);
    else if (data.kind === 'cname' && !this.#writeName(data.target)) return false;
    this.#bytes.writeUInt16BE(this.length - lengthAt - 2, lengthAt);
    return true;
  }

  /** The OPT of the answer: the client's payload size, never below the minimum (facts ztunnel-wire 12). */
  writeOption(edns: { readonly payloadBytes: number; readonly dnssecOk: boolean }, rcode: number): void {
    this.#append(Uint8Array.of(0));
    this.#uint16(RECORD_TYPE.OPT);
    this.#uint16(Math.max(MIN_UDP_BYTES, edns.payloadBytes));
    this.#uint16((rcode >> 4) << 8);
    this.#uint16(edns.dnssecOk ? 0x8000 : 0);
    this.#uint16(0);
  }

  finish(flags: number, answers: number, additionals: number): Buffer {
    const bytes = this.#bytes;
    bytes.writeUInt16BE(this.#query.id, 0);
    bytes.writeUInt16BE(flags, 2);
    bytes.writeUInt16BE(1, 4);
    bytes.writeUInt16BE(answers, 6);
    bytes.writeUInt16BE(0, 8);
    bytes.writeUInt16BE(additionals, 10);
    return bytes.subarray(0, this.length);
  }

  #writeName(name: string): boolean {
    const asked = this.#query.question.name;
    if (name === asked && name !== '') {
      // By far the most frequent name costs neither splitting nor lookup.
      this.#uint16(POINTER_MARK | DNS_HEADER_BYTES);
      return true;
    }
    const labels = nameLabels(name);
    if (labels === undefined) return false;
    if (this.#names.size === 0) this.#indexName(asked, DNS_HEADER_BYTES);
    const texts = splitLabels(name);
    for (const [index, label] of labels.entries()) {
      const suffix = texts.slice(index).join('.');
      const known = this.#names.get(suffix);
      if (known !== undefined) {
        this.#uint16(POINTER_MARK | known);
        return true;
      }
      if (this.length < POINTER_END) this.#names.set(suffix, this.length);
      this.#append(Uint8Array.of(label.length));
      this.#append(label);
    }
    this.#append(Uint8Array.of(0));
    return true;
  }

  #indexName(name: string, offset: number): void {
    const labels = nameLabels(name) ?? [];
    const texts = splitLabels(name);
    let at = offset;
    for (const [index, label] of labels.entries()) {
      this.#names.set(texts.slice(index).join('.'), at);
      at += 1 + label.length;
    }
  }

  #uint16(value: number): void {
    this.#append(Uint8Array.of(value >> 8, value & 0xff));
  }

  #append(bytes: Uint8Array): void {
    const end = this.length + bytes.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.length);
    this.length = end;
  }
}
