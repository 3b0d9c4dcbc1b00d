/**
 * The fields of a head while it is read: what goes to the engine, and what decides framing and connection (RFC 9112 6,
 * 7; RFC 9110 7.6.1).
 */
import type { HttpHeader } from '../http/http-stream.ts';
import { DIGIT, isAll, TOKEN } from './chars.ts';
import type { FieldTaker } from './field-lines.ts';
import type { FieldRole } from './field-names.ts';
import { fault, type Http1Fault, malformed } from './http1-fault.ts';
import { MAX_CONTENT_LENGTH_DIGITS } from './limits.ts';

/**
 * Fields that a Connection field cannot have removed: they are for every recipient (RFC 9110 7.6.1), and an earlier hop
 * may have set them for a reason.
 */
const END_TO_END = new Set([
  'authorization',
  'baggage',
  'content-length',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'set-cookie',
  'traceparent',
  'tracestate',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
]);

export class MessageFields implements FieldTaker {
  /** Begins with the places of pseudo-headers, which the owner fills in. */
  readonly headers: HttpHeader[];
  /** -1 without one. */
  contentBytes = -1;
  chunked = false;
  host: string | undefined;
  close = false;
  keepAlive = false;
  /** What Upgrade and Connection together ask for; undefined when either lacks. */
  upgrade: string | undefined;
  expectsContinue = false;
  #connectionUpgrade = false;
  #nominated: string[] | undefined;

  constructor(headers: HttpHeader[]) {
    this.headers = headers;
  }

  takeField(role: FieldRole, name: string, value: string): Http1Fault | undefined {
    switch (role) {
      case 'plain':
        this.headers.push([name, value]);
        return undefined;
      case 'host':
        if (this.host !== undefined) return malformed('Host is repeated');
        this.host = value;
        return undefined;
      case 'content-length':
        return this.#takeContentLength(name, value);
      case 'transfer-encoding':
        return this.#takeTransferEncoding(value);
      case 'connection':
        return this.#takeConnection(value);
      case 'upgrade':
        this.upgrade = this.upgrade === undefined ? value : `${this.upgrade}, ${value}`;
        return undefined;
      case 'te':
        if (value === 'trailers') this.headers.push([name, value]);
        return undefined;
      case 'expect':
        this.expectsContinue ||= value.toLowerCase() === '100-continue';
        this.headers.push([name, value]);
        return undefined;
      case 'hop':
        return undefined;
    }
  }

  /** Once all fields are read: settles Upgrade and drops what Connection names. */
  finish(): void {
    if (!this.#connectionUpgrade || offersH2c(this.upgrade ?? '')) this.upgrade = undefined;
    const nominated = this.#nominated;
    if (nominated === undefined) return;
    const { headers } = this;
    let kept = 0;
    for (const header of headers) {
      if (header[0] === 'te' || !nominated.includes(header[0])) headers[kept++] = header;
    }
    headers.length = kept;
  }

  #takeContentLength(name: string, value: string): Http1Fault | undefined {
    if (this.contentBytes >= 0) return malformed('Content-Length is repeated');
    if (value.length > MAX_CONTENT_LENGTH_DIGITS || !isAll(value, DIGIT))
      return malformed('Content-Length is no number');
    this.contentBytes = Number(value);
    this.headers.push([name, value]);
    return undefined;
  }

  #takeTransferEncoding(value: string): Http1Fault | undefined {
    if (this.chunked) return malformed('Transfer-Encoding is repeated');
    if (value !== 'chunked' && value.toLowerCase() !== 'chunked') return unsupportedCoding(value);
    this.chunked = true;
    return undefined;
  }

  #takeConnection(value: string): Http1Fault | undefined {
    if (value === 'keep-alive') this.keepAlive = true;
    else if (value === 'close') this.close = true;
    else {
      for (const part of value.toLowerCase().split(',')) {
        const option = trimBlanks(part);
        if (option !== '' && !isAll(option, TOKEN)) return malformed('Connection is no list of names');
        this.#takeOption(option);
      }
    }
    return undefined;
  }

  #takeOption(option: string): void {
    if (option === 'close') this.close = true;
    else if (option === 'keep-alive') this.keepAlive = true;
    else if (option === 'upgrade') this.#connectionUpgrade = true;
    else if (option !== '' && !END_TO_END.has(option)) {
      this.#nominated ??= [];
      this.#nominated.push(option);
    }
  }
}

/** An upstream must not be asked to go on in HTTP/2 through a tunnel: its requests would pass by all policy. */
function offersH2c(upgrade: string): boolean {
  return upgrade
    .toLowerCase()
    .split(',')
    .some((protocol) => trimBlanks(protocol) === 'h2c');
}

function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start += 1;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(start, end);
}

/** A body that ends with `chunked` could be delimited but not read (501); any other cannot be delimited (400). */
function unsupportedCoding(value: string): Http1Fault {
  const codings = value.toLowerCase().split(',').map(trimBlanks);
  const framed = codings.indexOf('chunked') === codings.length - 1;
  if (framed && codings.every((coding) => coding !== 'identity' && isAll(coding, TOKEN))) {
    return fault(501, 'a transfer coding other than chunked is not supported');
  }
  return malformed('Transfer-Encoding is not chunked');
}
