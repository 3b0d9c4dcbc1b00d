/**
 * Reads a stream of gRPC messages with discovery responses field by field as bytes come, and keeps none of them: a hundred
 * proxies of a large mesh have to fit into one process that is not what is measured.
 */

export interface FeedEvents {
  /** One resource, encoded. */
  readonly onResource: (resource: Buffer) => void;
  /** A response is complete. */
  readonly onResponse: (typeUrl: string, nonce: string) => void;
}

/** In front of each gRPC message: a flag and the length. */
const HEADER_BYTES = 5;
/** Fields of a DeltaDiscoveryResponse. */
const RESOURCES = 2;
const TYPE_URL = 4;
const NONCE = 5;
/** Fields of a Resource. */
const VERSION = 1;
const NAME = 3;

/** The field at an offset; all fields here are strings or messages. */
interface Field {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

export class FeedReader {
  readonly #events: FeedEvents;
  #rest: Buffer = Buffer.alloc(0);
  /** Of the current message; undefined between messages. */
  #leftBytes: number | undefined;
  #typeUrl = '';
  #nonce = '';

  constructor(events: FeedEvents) {
    this.#events = events;
  }

  push(chunk: Buffer): void {
    const buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const next = this.#leftBytes === undefined ? this.#begin(buffer, at) : this.#field(buffer, at);
      if (next === undefined) break;
      at = next;
    }
    this.#rest = buffer.subarray(at);
  }

  /** @returns where to go on; undefined when bytes are missing */
  #begin(buffer: Buffer, at: number): number | undefined {
    if (buffer.length - at < HEADER_BYTES) return undefined;
    this.#leftBytes = buffer.readUInt32BE(at + 1);
    return at + HEADER_BYTES;
  }

  #field(buffer: Buffer, at: number): number | undefined {
    if (this.#leftBytes === 0) {
      this.#leftBytes = undefined;
      this.#events.onResponse(this.#typeUrl, this.#nonce);
      return at;
    }
    const field = fieldAt(buffer, at);
    if (field === undefined || field.end > buffer.length) return undefined;
    const { number, start, end } = field;
    if (number === RESOURCES) this.#events.onResource(buffer.subarray(start, end));
    else if (number === TYPE_URL) this.#typeUrl = buffer.toString('utf8', start, end);
    else if (number === NONCE) this.#nonce = buffer.toString('utf8', start, end);
    this.#leftBytes = (this.#leftBytes ?? 0) - (end - at);
    return end;
  }
}

/** Name and version of an encoded resource. */
export function nameAndVersion(resource: Buffer): { readonly name: string; readonly version: string } {
  let name = '';
  let version = '';
  for (let at = 0; at < resource.length; ) {
    const field = fieldAt(resource, at);
    if (field === undefined) throw new Error('a resource that cannot be read');
    if (field.number === NAME) name = resource.toString('utf8', field.start, field.end);
    if (field.number === VERSION) version = resource.toString('latin1', field.start, field.end);
    at = field.end;
  }
  return { name, version };
}

function fieldAt(buffer: Buffer, at: number): Field | undefined {
  const tag = varintAt(buffer, at);
  const length = tag === undefined ? undefined : varintAt(buffer, tag.end);
  if (tag === undefined || length === undefined) return undefined;
  return { number: tag.value >>> 3, start: length.end, end: length.end + length.value };
}

function varintAt(buffer: Buffer, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = buffer[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, end: at + index + 1 };
  }
  return undefined;
}
