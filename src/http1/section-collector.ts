/**
 * Collects a head or a trailer section up to its empty line, from reads of any size.
 *
 * Invariants
 * - A section that lies whole in one read is never copied; of others at most `maxBytes` are held.
 * - The outcome does not depend on how the bytes were split: what breaks first by position decides (a bare CR or LF, a
 *   NUL, a bound), and only then the grammar. So `firstProblem` is asked before a grammar error is reported.
 */
import { CR, LF } from './chars.ts';
import { fault, type Http1Fault, malformed } from './http1-fault.ts';

const END = Buffer.from('\r\n\r\n');
const FIRST_CAPACITY_BYTES = 1024;
const NO_BYTES = Buffer.alloc(0);

/** Looks at bytes in order for what no section may hold. */
class SectionScan {
  readonly #maxBytes: number;
  readonly #maxLineBytes: number;
  #count = 0;
  #lineEnded = false;
  #afterCr = false;

  constructor(maxBytes: number, maxLineBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxLineBytes = maxLineBytes;
  }

  scan(bytes: Buffer, from: number, to: number): Http1Fault | undefined {
    for (let at = from; at < to; at += 1) {
      const code = bytes[at] ?? 0;
      if ((code === LF) !== this.#afterCr) return malformed('a line does not end with CRLF');
      if (code === 0) return malformed('the message holds a NUL');
      this.#afterCr = code === CR;
      this.#lineEnded ||= code === LF;
      this.#count += 1;
      if (!this.#lineEnded && this.#count > this.#maxLineBytes + 1) return fault(414, 'the first line is too long');
      if (this.#count > this.#maxBytes) return fault(431, 'the fields are too large');
    }
    return undefined;
  }
}

export class SectionCollector {
  readonly #maxBytes: number;
  readonly #maxLineBytes: number;
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;
  #scan: SectionScan | undefined;
  /** The complete section, after `collect` returned 'complete': it ends with its empty line, at `end`. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** Where the rest of the read begins. */
  next = 0;

  /** @param maxLineBytes bound of the first line, without its CRLF */
  constructor(maxBytes: number, maxLineBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxLineBytes = maxLineBytes;
  }

  /** Bytes held of a section that is not complete. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes the bytes of a read from `from` on. */
  collect(bytes: Buffer, from: number): 'complete' | 'more' | Http1Fault {
    if (this.#heldBytes > 0) return this.#append(bytes, from);
    const found = bytes.indexOf(END, from);
    if (found >= 0) return this.#complete(bytes, from, found + END.length, found + END.length);
    return this.#append(bytes, from);
  }

  /** What is wrong with the section by position, if anything; asked before any error of grammar is reported. */
  firstProblem(): Http1Fault | undefined {
    return new SectionScan(this.#maxBytes, this.#maxLineBytes).scan(this.bytes, this.start, this.end);
  }

  /** Forgets the section; call it when it was read. */
  clear(): void {
    this.bytes = NO_BYTES;
    this.#held = NO_BYTES;
    this.#heldBytes = 0;
    this.#scan = undefined;
  }

  #append(bytes: Buffer, from: number): 'complete' | 'more' | Http1Fault {
    const before = this.#heldBytes;
    const to = Math.min(bytes.length, from + this.#maxBytes + END.length - before);
    this.#reserve(before + to - from);
    bytes.copy(this.#held, before, from, to);
    this.#heldBytes = before + to - from;
    const found = this.#held.subarray(0, this.#heldBytes).indexOf(END, Math.max(0, before - END.length + 1));
    if (found >= 0) {
      const end = found + END.length;
      return this.#complete(this.#held, 0, end, from + end - before);
    }
    this.#scan ??= new SectionScan(this.#maxBytes, this.#maxLineBytes);
    return this.#scan.scan(this.#held, before, this.#heldBytes) ?? 'more';
  }

  #complete(bytes: Buffer, start: number, end: number, next: number): 'complete' | Http1Fault {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.next = next;
    return end - start > this.#maxBytes ? (this.firstProblem() ?? 'complete') : 'complete';
  }

  #reserve(bytes: number): void {
    if (this.#held.length >= bytes) return;
    const most = this.#maxBytes + END.length;
    const capacity = Math.min(most, Math.max(bytes, 2 * this.#held.length, FIRST_CAPACITY_BYTES));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }
}
