/**
 * HPACK decoder (RFC 7541).
 *
 * Invariants
 * - It never throws; a fault of the compression state is fatal to the connection (RFC 9113 4.3).
 * - A block is always decoded to its end, so that the table stays in step with the peer, but no header beyond the
 *   limits is kept: `overLimit` tells, and memory stays bounded by the limits whatever the peer sends.
 * - A block that grows past `HARD_FACTOR` times the limit is a fault: it is an attack, not a large request.
 */
import type { Result } from '../base/result.ts';
import { fail, ok } from '../base/result.ts';
import type { Header } from './header.ts';
import { entryBytes, HpackDynamicTable } from './hpack-dynamic-table.ts';
import { STATIC_TABLE } from './hpack-static-table.ts';
import { type Fault, Http2Code } from './http2-error.ts';
import { huffmanDecode } from './huffman.ts';

export interface HpackDecoderLimits {
  /** Sum of name + value + 32 over the headers of a block. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaders: number;
  /** What SETTINGS_HEADER_TABLE_SIZE allowed the peer. Default 4096. */
  readonly maxTableBytes?: number;
}

export interface DecodedHeaders {
  readonly headers: Header[];
  /** The list was larger or longer than the limits; `headers` holds only the part within them. */
  readonly overLimit: boolean;
}

const HARD_FACTOR = 4;
const STATIC_LENGTH = STATIC_TABLE.length;
/** Larger integers have no meaning in a header block: sizes and indexes are far below. */
const MAX_INTEGER = 0x0fffffff;

function compressionFault(message: string): Fault {
  return { code: Http2Code.COMPRESSION_ERROR, message };
}

const TRUNCATED = compressionFault('header block ends inside a field');
const BAD_INTEGER = compressionFault('header block holds an integer out of range');
const BAD_INDEX = compressionFault('header block names an entry that does not exist');
const BAD_HUFFMAN = compressionFault('header block holds an invalid Huffman string');
const BAD_RESIZE = compressionFault('header table size update is misplaced or above the limit');
const BOMB: Fault = {
  code: Http2Code.ENHANCE_YOUR_CALM,
  message: 'header list is many times larger than SETTINGS_MAX_HEADER_LIST_SIZE allows',
};

export class HpackDecoder {
  readonly #limits: HpackDecoderLimits;
  readonly #maxTableBytes: number;
  readonly #table: HpackDynamicTable;
  // Cursor over the block being decoded; only set during decode().
  #bytes: Buffer;
  #at = 0;
  #end = 0;
  #fault: Fault | undefined;
  #headers: Header[] = [];
  #listBytes = 0;
  #overLimit = false;

  constructor(limits: HpackDecoderLimits) {
    this.#limits = limits;
    this.#maxTableBytes = limits.maxTableBytes ?? 4096;
    this.#table = new HpackDynamicTable(this.#maxTableBytes);
    this.#bytes = EMPTY;
  }

  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /** Decodes the block in `bytes[start, end)`. */
  decode(bytes: Buffer, start: number, end: number): Result<DecodedHeaders, Fault> {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#fault = undefined;
    this.#headers = [];
    this.#listBytes = 0;
    this.#overLimit = false;
    let resizable = true;
    while (this.#at < this.#end && this.#fault === undefined) resizable = this.#field(resizable);
    const result: DecodedHeaders = { headers: this.#headers, overLimit: this.#overLimit };
    this.#bytes = EMPTY;
    this.#headers = [];
    return this.#fault === undefined ? ok(result) : fail(this.#fault);
  }

  /** One field representation (RFC 7541 6). Returns whether a table size update may still follow. */
  #field(resizable: boolean): boolean {
    const first = this.#bytes[this.#at] ?? 0;
    if (first >= 0x80) {
      const entry = this.#entry(this.#integer(7));
      if (entry !== undefined) this.#emit(entry[0], entry[1], entry);
      return false;
    }
    if (first >= 0x40) {
      this.#literal(6, true);
      return false;
    }
    if (first >= 0x20) {
      const size = this.#integer(5);
      if (!resizable || size > this.#maxTableBytes) this.#fault ??= BAD_RESIZE;
      else if (this.#fault === undefined) this.#table.resize(size);
      return resizable;
    }
    this.#literal(4, false);
    return false;
  }

  #literal(prefixBits: number, indexed: boolean): void {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : (this.#entry(index)?.[0] ?? '');
    const value = this.#string();
    if (this.#fault !== undefined) return;
    if (indexed) this.#table.add(name, value);
    this.#emit(name, value, undefined);
  }

  #emit(name: string, value: string, shared: Header | undefined): void {
    this.#listBytes += entryBytes(name, value);
    const { maxHeaderListBytes, maxHeaders } = this.#limits;
    if (this.#listBytes > maxHeaderListBytes || this.#headers.length >= maxHeaders) {
      this.#overLimit = true;
      if (this.#listBytes > maxHeaderListBytes * HARD_FACTOR) this.#fault = BOMB;
      return;
    }
    this.#headers.push(shared ?? [name, value]);
  }

  #entry(index: number): Header | undefined {
    const entry = index <= STATIC_LENGTH ? STATIC_TABLE[index - 1] : this.#table.at(index - STATIC_LENGTH - 1);
    if (entry === undefined) this.#fault ??= BAD_INDEX;
    return entry;
  }

  /** An integer with a prefix of `bits` bits in the current byte (RFC 7541 5.1). */
  #integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = (this.#bytes[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= this.#end) {
        this.#fault ??= TRUNCATED;
        return 0;
      }
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value <= MAX_INTEGER) return value;
        break;
      }
    }
    this.#fault ??= BAD_INTEGER;
    return 0;
  }

  #string(): string {
    if (this.#fault !== undefined || this.#at >= this.#end) {
      this.#fault ??= TRUNCATED;
      return '';
    }
    const huffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    if (this.#fault !== undefined || length > this.#end - start) {
      this.#fault ??= TRUNCATED;
      return '';
    }
    this.#at = start + length;
    if (!huffman) return this.#bytes.toString('latin1', start, this.#at);
    const target = length * 2 <= scratch.length ? scratch : Buffer.allocUnsafe(length * 2);
    const decoded = huffmanDecode(this.#bytes, start, this.#at, target);
    if (decoded < 0) this.#fault = BAD_HUFFMAN;
    return decoded <= 0 ? '' : target.toString('latin1', 0, decoded);
  }
}

const EMPTY = Buffer.alloc(0);
/** Working space of one decode call, which never yields to another. */
const scratch = Buffer.allocUnsafeSlow(4096);
