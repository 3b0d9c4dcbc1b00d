/**
 * Reads HTTP/1 messages from reads of any size (RFC 9112).
 *
 * Invariants
 * - It never throws, and what it tells its sink does not depend on how the bytes were split into reads (but for the
 *   pieces of a body).
 * - Bytes handed to the sink lie in the caller's read and are valid during the call only.
 * - It holds at most one head or trailer section, within its limits, and nothing between messages.
 * - It stops behind each message: what follows is read after `next`, or is no HTTP (a tunnel).
 */
import type { HttpHeader } from '../http/http-stream.ts';
import { CR, LF } from './chars.ts';
import { ChunkDecoder } from './chunk-decoder.ts';
import { type Http1Fault, malformed } from './http1-fault.ts';
import { type Http1Limits, MAX_TRAILER_BYTES } from './limits.ts';
import { type MessageHead, parseRequestHead, parseResponseHead, type RequestContext } from './message-head.ts';
import { SectionCollector } from './section-collector.ts';
import { parseTrailers } from './trailers.ts';

/** Told what a parser reads. It may stop the parser from inside a call. */
export interface MessageSink {
  /** A head; of a response also an interim one, which another head follows. */
  onHead(head: MessageHead): void;
  /** A piece of the body: `bytes` from `start` to `end`, valid during the call. */
  onBody(bytes: Buffer, start: number, end: number): void;
  onTrailers(trailers: readonly HttpHeader[]): void;
  /** The message is complete. */
  onComplete(): void;
}

export type MessageRole =
  | { readonly kind: 'request'; readonly scheme: string }
  | { readonly kind: 'response'; context: RequestContext };

type Place =
  /** At most one empty line is skipped before a request (RFC 9112 2.2). */
  'before' | 'before-lf' | 'head' | 'length' | 'chunked' | 'trailers' | 'close' | 'complete' | 'failed' | 'stopped';

export class MessageParser {
  readonly #role: MessageRole;
  readonly #limits: Http1Limits;
  readonly #sink: MessageSink;
  #place: Place;
  #section: SectionCollector | undefined;
  #chunks: ChunkDecoder | undefined;
  #bodyBytes = 0;
  /** What was wrong, once `execute` stopped for it. */
  fault: Http1Fault | undefined;

  constructor(role: MessageRole, limits: Http1Limits, sink: MessageSink) {
    this.#role = role;
    this.#limits = limits;
    this.#sink = sink;
    this.#place = role.kind === 'request' ? 'before' : 'head';
  }

  /** Whether nothing of the next message came yet. */
  get untouched(): boolean {
    return this.#place === 'before' || (this.#place === 'head' && this.heldBytes === 0);
  }

  /** Whether a head is being read. */
  get inHead(): boolean {
    return this.#place === 'before' || this.#place === 'before-lf' || this.#place === 'head';
  }

  /** Whether the message is complete; nothing is taken until `next`. */
  get complete(): boolean {
    return this.#place === 'complete';
  }

  /** Bytes held of what is not complete. */
  get heldBytes(): number {
    return this.#section?.heldBytes ?? 0;
  }

  /**
   * Reads `bytes` from `from` on.
   * @returns where it stopped: at the end of the read, behind a message, or anywhere when `fault` is set
   */
  execute(bytes: Buffer, from: number): number {
    // The sink may free the memory of a piece that ends a read.
    const { length } = bytes;
    let at = from;
    while (at < length) {
      const before = at;
      at = this.#step(bytes, at, length);
      if (at === before && this.#idle) break;
    }
    return at;
  }

  /** Begins with the next message. */
  next(context?: RequestContext): void {
    if (this.#role.kind === 'response' && context !== undefined) this.#role.context = context;
    this.#place = this.#role.kind === 'request' ? 'before' : 'head';
  }

  /** The peer ended its side. Returns false when that cuts a message short. */
  finish(): boolean {
    if (this.#place === 'close') {
      this.#complete();
      return true;
    }
    return this.#place === 'complete' || this.#place === 'stopped' || this.untouched;
  }

  /** Takes nothing more and drops what is held. */
  stop(): void {
    this.#place = 'stopped';
    this.#section = undefined;
    this.#chunks = undefined;
  }

  get #idle(): boolean {
    return this.#place === 'complete' || this.#place === 'failed' || this.#place === 'stopped';
  }

  #step(bytes: Buffer, at: number, length: number): number {
    switch (this.#place) {
      case 'before':
        this.#place = bytes[at] === CR ? 'before-lf' : 'head';
        return bytes[at] === CR ? at + 1 : at;
      case 'before-lf':
        if (bytes[at] !== LF) return this.#fail(malformed('a line does not end with CRLF'), at);
        this.#place = 'head';
        return at + 1;
      case 'head':
        return this.#head(bytes, at);
      case 'length':
        return this.#length(bytes, at, length);
      case 'chunked':
        return this.#chunked(bytes, at, length);
      case 'trailers':
        return this.#trailers(bytes, at);
      case 'close':
        this.#sink.onBody(bytes, at, length);
        return length;
      default:
        return at;
    }
  }

  #head(bytes: Buffer, at: number): number {
    this.#section ??= new SectionCollector(this.#limits.headBytes, this.#limits.startLineBytes);
    const section = this.#section;
    const outcome = section.collect(bytes, at);
    if (outcome === 'more') return bytes.length;
    if (outcome !== 'complete') return this.#fail(outcome, at);
    const { next } = section;
    const head = this.#parseHead(section);
    if ('message' in head) return this.#fail(section.firstProblem() ?? head, at);
    section.clear();
    if (head.body === 'length') {
      this.#bodyBytes = head.contentBytes;
      this.#place = 'length';
    } else if (head.body === 'chunked') {
      this.#chunks = new ChunkDecoder();
      this.#place = 'chunked';
    } else if (head.body === 'close') this.#place = 'close';
    this.#sink.onHead(head);
    const interim = head.status >= 100 && head.status < 200 && head.body !== 'tunnel';
    if (this.#place === 'head' && !interim) this.#complete();
    return next;
  }

  #parseHead({ bytes, start, end }: SectionCollector): MessageHead | Http1Fault {
    const role = this.#role;
    return role.kind === 'request'
      ? parseRequestHead(bytes, start, end, role.scheme, this.#limits)
      : parseResponseHead(bytes, start, end, role.context, this.#limits);
  }

  #length(bytes: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.#bodyBytes);
    this.#bodyBytes -= end - at;
    this.#sink.onBody(bytes, at, end);
    if (this.#bodyBytes === 0 && this.#place === 'length') this.#complete();
    return end;
  }

  #chunked(bytes: Buffer, at: number, length: number): number {
    const chunks = this.#chunks;
    if (chunks === undefined) return length;
    if (chunks.inData) {
      const end = Math.min(length, at + chunks.dataBytes);
      chunks.tookData(end - at);
      this.#sink.onBody(bytes, at, end);
      return end;
    }
    const stopped = chunks.read(bytes, at);
    if (chunks.fault !== undefined) return this.#fail(chunks.fault, stopped);
    if (chunks.atTrailers) {
      this.#chunks = undefined;
      this.#section = new SectionCollector(MAX_TRAILER_BYTES, MAX_TRAILER_BYTES);
      this.#place = 'trailers';
    }
    return stopped;
  }

  #trailers(bytes: Buffer, at: number): number {
    const section = this.#section;
    if (section === undefined) return bytes.length;
    const outcome = section.collect(bytes, at);
    if (outcome === 'more') return bytes.length;
    if (outcome !== 'complete') return this.#fail(outcome, at);
    const trailers = parseTrailers(section.bytes, section.start, section.end);
    if ('message' in trailers) return this.#fail(section.firstProblem() ?? trailers, at);
    const { next } = section;
    this.#section = undefined;
    if (trailers.length > 0) this.#sink.onTrailers(trailers);
    if (this.#place === 'trailers') this.#complete();
    return next;
  }

  #complete(): void {
    this.#place = 'complete';
    this.#sink.onComplete();
  }

  #fail(problem: Http1Fault, at: number): number {
    this.stop();
    this.#place = 'failed';
    this.fault = problem;
    return at;
  }
}
