/** Trailer sections: fields that route or authenticate a message are dropped, those that frame it refused (RFC 9110 6.5.1). */
import type { HttpHeader } from '../http/http-stream.ts';
import { LF } from './chars.ts';
import { type FieldTaker, readFields } from './field-lines.ts';
import type { FieldRole } from './field-names.ts';
import { type Http1Fault, malformed } from './http1-fault.ts';
import { MAX_TRAILER_FIELDS } from './limits.ts';

const FORBIDDEN = new Set([
  'age',
  'authorization',
  'connection',
  'content-length',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expires',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'retry-after',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'warning',
  'www-authenticate',
]);
const FORBIDDEN_PREFIXES = ['x-forwarded-', 'x-envoy-', 'if-'];

/** Whether a field of this name may stand in a trailer section. */
export function isTrailerName(name: string): boolean {
  return !FORBIDDEN.has(name) && !FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}

class TrailerFields implements FieldTaker {
  readonly headers: HttpHeader[] = [];

  takeField(role: FieldRole, name: string, value: string): Http1Fault | undefined {
    // A reader that took it for framing would read on elsewhere.
    if (role === 'content-length' || role === 'transfer-encoding')
      return malformed('a trailer says how long the body is');
    if (role === 'plain' && isTrailerName(name)) this.headers.push([name, value]);
    return undefined;
  }
}

/** Reads trailers in `bytes` from `start`, the CR of the last size line, to `end`, where the empty line ends. */
export function parseTrailers(bytes: Buffer, start: number, end: number): readonly HttpHeader[] | Http1Fault {
  if (bytes[start + 1] !== LF) return malformed('the last chunk size does not end with CRLF');
  const fields = new TrailerFields();
  const from = start + 2;
  return (
    readFields(bytes, from, end - 2, bytes.toString('latin1', from, end), MAX_TRAILER_FIELDS, fields) ?? fields.headers
  );
}
