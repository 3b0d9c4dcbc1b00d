/** What heads and trailers that go out are made of, checked so that no value can break out of its place. */
import type { HttpHeader } from '../http/http-stream.ts';
import { CLASSES, COLON, DIGIT, isAll, TARGET, TOKEN, VALUE } from './chars.ts';
import { KNOWN_NAMES } from './field-names.ts';
import { MAX_CONTENT_LENGTH_DIGITS } from './limits.ts';
import { isHost } from './target.ts';

/** Fields that belong to one connection, or that say what the start line and the framing say. */
const OWN = new Set([
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What a head is made of, gathered in one pass. */
export class HeadParts {
  method = '';
  authority: string | undefined;
  path = '';
  status = '';
  upgrade: string | undefined;
  contentBytes = -1;
  fields = '';
  /** HTTP/2 may carry them in several fields (RFC 9113 8.2.3). */
  cookies = '';
  problem: string | undefined;

  constructor(headers: readonly HttpHeader[]) {
    for (const [name, value] of headers) {
      this.problem = name.charCodeAt(0) === COLON ? this.#takePseudo(name, value) : this.#takeField(name, value);
      if (this.problem !== undefined) return;
    }
    if (this.cookies !== '') this.fields += `cookie: ${this.cookies}\r\n`;
  }

  #takePseudo(name: string, value: string): string | undefined {
    switch (name) {
      case ':method':
        this.method = value;
        return isAll(value, TOKEN) ? undefined : 'the method is no token';
      case ':authority':
        this.authority = value;
        return isHost(value) ? undefined : 'the authority is no host';
      case ':path':
        this.path = value;
        return isAll(value, TARGET) ? undefined : 'the path holds characters that no target has';
      case ':status':
        this.status = value;
        return value.length === 3 && value >= '100' && isAll(value, DIGIT) ? undefined : 'the status is no number';
      case ':scheme':
        return undefined;
      default:
        return `pseudo-header ${name} has no place in HTTP/1`;
    }
  }

  #takeField(name: string, value: string): string | undefined {
    if (!KNOWN_NAMES.has(name) && !isAll(name, TOKEN)) return 'a header name is no token';
    if (!isFieldValue(value)) return `header ${name} holds forbidden characters`;
    if (OWN.has(name)) return this.#takeOwn(name, value);
    if (name === 'cookie') this.cookies += this.cookies === '' ? value : `; ${value}`;
    else this.fields += `${name}: ${value}\r\n`;
    return undefined;
  }

  #takeOwn(name: string, value: string): string | undefined {
    if (name === 'upgrade') this.upgrade = value;
    // HTTP/2 has no Host, or one that says what :authority says.
    else if (name === 'host' && this.authority === undefined) return this.#takePseudo(':authority', value);
    else if (name === 'content-length') {
      if (this.contentBytes >= 0) return this.contentBytes === Number(value) ? undefined : 'content-length is repeated';
      if (value.length > MAX_CONTENT_LENGTH_DIGITS || !isAll(value, DIGIT)) return 'content-length is invalid';
      this.contentBytes = Number(value);
    }
    return undefined;
  }
}

function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at);
    if (code > 0xff || ((CLASSES[code] ?? 0) & VALUE) === 0) return false;
  }
  return true;
}

/** Writes a trailer section, or returns undefined when a field may not stand in one. */
export function writeTrailers(headers: readonly HttpHeader[], mayStand: (name: string) => boolean): string | undefined {
  let text = '';
  for (const [name, value] of headers) {
    if (!isAll(name, TOKEN) || !isFieldValue(value)) return undefined;
    if (mayStand(name)) text += `${name}: ${value}\r\n`;
  }
  return text;
}
