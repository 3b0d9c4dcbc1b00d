/**
 * HPACK encoder (RFC 7541).
 *
 * What tunnels send (`:authority`, `baggage`, `forwarded`, `traceparent`, `:path`) differs per request, so it goes out
 * as plain literals that cost one copy and leave the table alone. Other fields, which repeat, enter the dynamic table.
 * Credentials are literals that no hop may index (RFC 7541 7.1.3).
 */
import type { Header } from './header.ts';
import { HpackDynamicTable } from './hpack-dynamic-table.ts';
import { STATIC_TABLE } from './hpack-static-table.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';

export interface HpackEncoderOptions {
  /** Upper bound of the table this side keeps, whatever the peer allows. Default 4096. */
  readonly maxTableBytes?: number;
  /** Whether strings are Huffman coded when that is shorter: fewer bytes, more CPU. Default false. */
  readonly huffman?: boolean;
}

const PER_REQUEST = new Set([
  ':authority',
  ':path',
  'baggage',
  'forwarded',
  'traceparent',
  'x-request-id',
  'date',
  'content-length',
  'etag',
]);
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
/** Values longer than this would push out too much of a 4 KiB table. */
const MAX_INDEXED_VALUE = 256;

const STATIC_NAMES = new Map<string, number>();
const STATIC_FIELDS = new Map<string, Map<string, number>>();
for (const [offset, [name, value]] of STATIC_TABLE.entries()) {
  const index = offset + 1;
  if (!STATIC_NAMES.has(name)) STATIC_NAMES.set(name, index);
  if (value === '') continue;
  const values = STATIC_FIELDS.get(name) ?? new Map<string, number>();
  values.set(value, index);
  STATIC_FIELDS.set(name, values);
}

export class HpackEncoder {
  readonly #huffman: boolean;
  readonly #ownMaxBytes: number;
  #table: HpackDynamicTable | undefined;
  /** Serial numbers of the entries in the table, by `name NUL value`. Made with the first entry. */
  readonly #serials = new Map<string, number>();
  #tableBytes = 4096;
  /** Size updates the next block has to begin with: the smallest and the last size since the previous block. */
  #smallestBytes = -1;

  constructor(options: HpackEncoderOptions = {}) {
    this.#huffman = options.huffman ?? false;
    this.#ownMaxBytes = options.maxTableBytes ?? 4096;
    if (this.#ownMaxBytes < 4096) this.setPeerMaxTableBytes(4096);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerMaxTableBytes(bytes: number): void {
    const size = Math.min(bytes, this.#ownMaxBytes);
    if (size === this.#tableBytes) return;
    this.#tableBytes = size;
    this.#smallestBytes = this.#smallestBytes < 0 ? size : Math.min(this.#smallestBytes, size);
    this.#table?.resize(size);
  }

  /** An upper bound of the bytes `encode` writes for these headers. */
  static maxBytes(headers: readonly Header[]): number {
    let bytes = 16;
    for (const header of headers) bytes += header[0].length + header[1].length + 16;
    return bytes;
  }

  /**
   * Writes the block for `headers` to `target` at `at` and returns the position behind it.
   * The target must have room for `maxBytes(headers)`; names and values are latin1.
   */
  encode(headers: readonly Header[], target: Buffer, at: number): number {
    let position = this.#smallestBytes < 0 ? at : this.#sizeUpdates(target, at);
    for (const header of headers) position = this.#field(header[0], header[1], target, position);
    return position;
  }

  #sizeUpdates(target: Buffer, at: number): number {
    let position = at;
    if (this.#smallestBytes < this.#tableBytes) position = writeInteger(target, position, 0x20, 5, this.#smallestBytes);
    this.#smallestBytes = -1;
    return writeInteger(target, position, 0x20, 5, this.#tableBytes);
  }

  #field(name: string, value: string, target: Buffer, at: number): number {
    const staticIndex = STATIC_FIELDS.get(name)?.get(value);
    if (staticIndex !== undefined) {
      target[at] = 0x80 | staticIndex;
      return at + 1;
    }
    if (PER_REQUEST.has(name)) return this.#literal(0x00, 4, name, value, target, at);
    if (CREDENTIALS.has(name)) return this.#literal(0x10, 4, name, value, target, at);
    return this.#repeating(name, value, target, at);
  }

  #repeating(name: string, value: string, target: Buffer, at: number): number {
    const key = `${name}\0${value}`;
    const serial = this.#serials.get(key);
    const table = this.#table;
    if (serial !== undefined && table !== undefined) {
      return writeInteger(target, at, 0x80, 7, STATIC_TABLE.length + 1 + table.indexOf(serial));
    }
    if (value.length > MAX_INDEXED_VALUE || this.#tableBytes < 512)
      return this.#literal(0x00, 4, name, value, target, at);
    const position = this.#literal(0x40, 6, name, value, target, at);
    this.#remember(name, value, key);
    return position;
  }

  #remember(name: string, value: string, key: string): void {
    this.#table ??= new HpackDynamicTable(this.#tableBytes, ([evictedName, evictedValue]) => {
      this.#serials.delete(`${evictedName}\0${evictedValue}`);
    });
    if (this.#table.add(name, value)) this.#serials.set(key, this.#table.nextSerial - 1);
  }

  #literal(pattern: number, prefixBits: number, name: string, value: string, target: Buffer, at: number): number {
    const nameIndex = STATIC_NAMES.get(name) ?? 0;
    let position = writeInteger(target, at, pattern, prefixBits, nameIndex);
    if (nameIndex === 0) position = this.#string(name, target, position);
    return this.#string(value, target, position);
  }

  #string(text: string, target: Buffer, at: number): number {
    if (this.#huffman) {
      const bytes = huffmanLength(text);
      if (bytes < text.length) return huffmanEncode(text, target, writeInteger(target, at, 0x80, 7, bytes));
    }
    const position = writeInteger(target, at, 0, 7, text.length);
    return position + target.write(text, position, 'latin1');
  }
}

/** An integer behind `pattern`, with a prefix of `bits` bits (RFC 7541 5.1). */
function writeInteger(target: Buffer, at: number, pattern: number, bits: number, value: number): number {
  const mask = (1 << bits) - 1;
  if (value < mask) {
    target[at] = pattern | value;
    return at + 1;
  }
  target[at] = pattern | mask;
  let position = at + 1;
  let rest = value - mask;
  while (rest >= 0x80) {
    target[position++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  target[position++] = rest;
  return position;
}
