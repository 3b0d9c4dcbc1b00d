/**
 * Strict reading of DNS messages (RFC 1035 4.1, EDNS: RFC 6891 6.1).
 *
 * Invariants:
 * - No input makes it throw; work and memory are bounded by the length of the message.
 * - A query has exactly one question, no answers, at most one OPT, and no byte after its last record.
 */
import { DNS_HEADER_BYTES, readDnsName } from './dns-name.ts';
import { RCODE, RECORD_TYPE } from './record-type.ts';

export interface DnsQuestion {
  /** As asked, case kept, in the text form of `dns-name.ts`. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord extends DnsQuestion {
  readonly ttlSec: number;
  readonly data: Uint8Array;
  /** Where `data` lies in the message: names in it may point back. */
  readonly dataOffset: number;
}

/** What an answer repeats of its query. */
export interface DnsHeader {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
}

export interface DnsMessage extends DnsHeader {
  readonly isResponse: boolean;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionAvailable: boolean;
  /** The four bits of the header; EDNS may hold more. */
  readonly rcode: number;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** The client's side of EDNS. */
export interface Edns {
  readonly payloadBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export interface DnsQuery extends DnsHeader {
  readonly question: DnsQuestion;
  /** The question section as it was sent. */
  readonly questionBytes: Uint8Array;
  readonly edns: Edns | undefined;
}

export type DnsQueryParse =
  | { readonly kind: 'query'; readonly query: DnsQuery }
  /** Readable as far as the header: the client gets an answer that says so. */
  | { readonly kind: 'refused'; readonly header: DnsHeader; readonly rcode: number }
  /** Too short, or itself an answer: nobody is answered, so two servers never talk to each other. */
  | { readonly kind: 'ignored' };

const OPCODE_QUERY = 0;

/** Reads a query. */
export function parseDnsQuery(bytes: Uint8Array): DnsQueryParse {
  if (bytes.length < DNS_HEADER_BYTES || (byteAt(bytes, 2) & 0x80) !== 0) return { kind: 'ignored' };
  const header = readHeader(bytes);
  if (header.opcode !== OPCODE_QUERY) return { kind: 'refused', header, rcode: RCODE.NOTIMP };
  const malformed: DnsQueryParse = { kind: 'refused', header, rcode: RCODE.FORMERR };
  if (uint16(bytes, 4) !== 1 || uint16(bytes, 6) !== 0 || uint16(bytes, 8) !== 0) return malformed;
  const message = parseDnsMessage(bytes);
  const [question] = message?.questions ?? [];
  if (message === undefined || question === undefined) return malformed;
  const options = message.additionals.filter(({ type }) => type === RECORD_TYPE.OPT);
  const [option] = options;
  if (options.length > 1 || (option !== undefined && option.name !== '')) return malformed;
  const questionEnd = readDnsName(bytes, DNS_HEADER_BYTES)?.next ?? DNS_HEADER_BYTES;
  const questionBytes = bytes.subarray(DNS_HEADER_BYTES, questionEnd + 4);
  return { kind: 'query', query: { ...header, question, questionBytes, edns: option && readEdns(option) } };
}

/** Reads a whole message; undefined when a part is malformed or bytes are left over. */
export function parseDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < DNS_HEADER_BYTES) return undefined;
  const cursor = { at: DNS_HEADER_BYTES };
  const questions = readMany(uint16(bytes, 4), () => readQuestion(bytes, cursor));
  const answers = questions && readMany(uint16(bytes, 6), () => readRecord(bytes, cursor));
  const authorities = answers && readMany(uint16(bytes, 8), () => readRecord(bytes, cursor));
  const additionals = authorities && readMany(uint16(bytes, 10), () => readRecord(bytes, cursor));
  if (questions === undefined || answers === undefined || authorities === undefined) return undefined;
  if (additionals === undefined || cursor.at !== bytes.length) return undefined;
  const high = byteAt(bytes, 2);
  const low = byteAt(bytes, 3);
  return {
    ...readHeader(bytes),
    isResponse: (high & 0x80) !== 0,
    authoritative: (high & 4) !== 0,
    truncated: (high & 2) !== 0,
    recursionAvailable: (low & 0x80) !== 0,
    rcode: low & 15,
    questions,
    answers,
    authorities,
    additionals,
  };
}

function readHeader(bytes: Uint8Array): DnsHeader {
  const high = byteAt(bytes, 2);
  return {
    id: uint16(bytes, 0),
    opcode: (high >> 3) & 15,
    recursionDesired: (high & 1) !== 0,
    checkingDisabled: (byteAt(bytes, 3) & 0x10) !== 0,
  };
}

interface Cursor {
  at: number;
}

/** Reads `count` items; ends at the first malformed one, so a false count costs nothing. */
function readMany<T>(count: number, read: () => T | undefined): T[] | undefined {
  const items: T[] = [];
  for (let index = 0; index < count; index++) {
    const item = read();
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function readQuestion(bytes: Uint8Array, cursor: Cursor): DnsQuestion | undefined {
  const read = readDnsName(bytes, cursor.at);
  if (read === undefined || read.next + 4 > bytes.length) return undefined;
  cursor.at = read.next + 4;
  return { name: read.name, type: uint16(bytes, read.next), class: uint16(bytes, read.next + 2) };
}

function readRecord(bytes: Uint8Array, cursor: Cursor): DnsRecord | undefined {
  const question = readQuestion(bytes, cursor);
  if (question === undefined || cursor.at + 6 > bytes.length) return undefined;
  const ttlSec = uint16(bytes, cursor.at) * 0x10000 + uint16(bytes, cursor.at + 2);
  const dataOffset = cursor.at + 6;
  const end = dataOffset + uint16(bytes, cursor.at + 4);
  if (end > bytes.length) return undefined;
  cursor.at = end;
  return { ...question, ttlSec, data: bytes.subarray(dataOffset, end), dataOffset };
}

/** In an OPT the class is the payload size; the TTL holds version and flags. */
function readEdns(option: DnsRecord): Edns {
  return {
    payloadBytes: option.class,
    version: (option.ttlSec >>> 16) & 0xff,
    dnssecOk: (option.ttlSec & 0x8000) !== 0,
  };
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}
