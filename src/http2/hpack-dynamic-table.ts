/**
 * The dynamic table of HPACK (RFC 7541 2.3.2, 4), used by decoder and encoder.
 *
 * Invariants
 * - `sizeBytes` is the sum over the entries of name + value + 32 and never exceeds the maximum.
 * - Entries live in a ring; the newest has index 0. An entry's serial number never changes while it is in the table.
 */
import type { Header } from './header.ts';
import { ENTRY_OVERHEAD_BYTES } from './hpack-static-table.ts';

/** What an entry counts (RFC 7541 4.1). */
export function entryBytes(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

export class HpackDynamicTable {
  readonly #onEvicted: ((header: Header, serial: number) => void) | undefined;
  #entries: Header[] = [];
  #evicted = 0;
  #maxBytes: number;
  #sizeBytes = 0;

  /** @param onEvicted told about each entry that leaves, with its serial number */
  constructor(maxBytes: number, onEvicted?: (header: Header, serial: number) => void) {
    this.#maxBytes = maxBytes;
    this.#onEvicted = onEvicted;
  }

  get length(): number {
    return this.#entries.length - this.#first;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** The serial number the next entry gets. */
  get nextSerial(): number {
    return this.#evicted + this.length;
  }

  /** Position of the oldest live entry in `#entries`; the slots before it are spent. */
  #first = 0;

  /** The entry at `index`, 0 being the newest. */
  at(index: number): Header | undefined {
    return index >= 0 && index < this.length ? this.#entries[this.#entries.length - 1 - index] : undefined;
  }

  /** The index of the entry with this serial number, which must be in the table. */
  indexOf(serial: number): number {
    return this.nextSerial - 1 - serial;
  }

  /** Adds an entry and evicts from the oldest on; one that is larger than the table empties it (RFC 7541 4.4). */
  add(name: string, value: string): boolean {
    const bytes = entryBytes(name, value);
    this.#evictTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return false;
    this.#entries.push([name, value]);
    this.#sizeBytes += bytes;
    return true;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.#sizeBytes > bytes && this.length > 0) {
      const oldest = this.#entries[this.#first];
      if (oldest === undefined) return;
      this.#first += 1;
      this.#sizeBytes -= entryBytes(oldest[0], oldest[1]);
      this.#onEvicted?.(oldest, this.#evicted);
      this.#evicted += 1;
    }
    // Spent slots are given back in bulk, so that eviction costs O(1) on average.
    if (this.#first > 32 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}
