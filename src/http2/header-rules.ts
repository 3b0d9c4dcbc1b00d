/** What a header list has to look like (RFC 9113 8.2, 8.3, 8.5). A violation makes the message malformed. */
import type { Header } from './header.ts';

/** Lower case token characters (RFC 9110 5.6.2), optionally as a pseudo-header. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;
const NOT_LATIN1 = /[^\0-\xff]/;
/** Connection-specific fields (RFC 9113 8.2.2). */
const FORBIDDEN = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** The pseudo-headers of a message; empty string when one is absent. */
export interface PseudoHeaders {
  method: string;
  authority: string | undefined;
  scheme: string;
  path: string;
  status: string;
}

/** Checks names, values and order, and collects the pseudo-headers. Returns a diagnosis of the first violation. */
function collect(headers: readonly Header[], pseudo: PseudoHeaders): string | undefined {
  let regular = false;
  for (const [name, value] of headers) {
    if (!NAME.test(name)) return 'a header name is not a lower case token';
    if (BAD_VALUE.test(value) || NOT_LATIN1.test(value)) return `header ${name} holds forbidden characters`;
    if (name.charCodeAt(0) !== 0x3a) {
      regular = true;
      if (FORBIDDEN.has(name) || (name === 'te' && value !== 'trailers'))
        return `header ${name} is not allowed in HTTP/2`;
      continue;
    }
    if (regular) return 'a pseudo-header follows a regular header';
    const problem = takePseudo(name, value, pseudo);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function takePseudo(name: string, value: string, pseudo: PseudoHeaders): string | undefined {
  const key = name.slice(1);
  switch (key) {
    case 'authority':
      if (pseudo.authority !== undefined) return 'pseudo-header :authority is repeated';
      pseudo.authority = value;
      return undefined;
    case 'method':
    case 'scheme':
    case 'path':
    case 'status':
      if (pseudo[key] !== '') return `pseudo-header ${name} is repeated`;
      if (value === '') return `pseudo-header ${name} is empty`;
      pseudo[key] = value;
      return undefined;
    default:
      return `pseudo-header ${name} is not known`;
  }
}

function noPseudo(): PseudoHeaders {
  return { method: '', authority: undefined, scheme: '', path: '', status: '' };
}

/** What a request turned out to be. */
export interface RequestShape {
  readonly problem: string | undefined;
  readonly connect: boolean;
  /** The value of content-length, or -1. */
  readonly contentBytes: number;
}

function malformed(problem: string): RequestShape {
  return { problem, connect: false, contentBytes: -1 };
}

/** Checks the headers of a request: CONNECT has `:method` and `:authority` only, others need `:scheme` and `:path`. */
export function checkRequest(headers: readonly Header[]): RequestShape {
  const pseudo = noPseudo();
  const problem = collect(headers, pseudo);
  if (problem !== undefined) return malformed(problem);
  if (pseudo.status !== '') return malformed('a request has :status');
  if (pseudo.method === '') return malformed('a request lacks :method');
  if (pseudo.method === 'CONNECT') {
    if (pseudo.scheme !== '' || pseudo.path !== '') return malformed('CONNECT has :scheme or :path');
    if (pseudo.authority === undefined || pseudo.authority === '') return malformed('CONNECT lacks :authority');
    return { problem: undefined, connect: true, contentBytes: -1 };
  }
  if (pseudo.scheme === '' || pseudo.path === '') return malformed('a request lacks :scheme or :path');
  const contentBytes = contentLength(headers);
  return contentBytes < -1
    ? malformed('content-length is invalid')
    : { problem: undefined, connect: false, contentBytes };
}

/** The single value of content-length, -1 without one, -2 when it is not one number. */
function contentLength(headers: readonly Header[]): number {
  let found: string | undefined;
  for (const [name, value] of headers) {
    if (name !== 'content-length') continue;
    if (found !== undefined && found !== value) return -2;
    found = value;
  }
  if (found === undefined) return -1;
  return /^\d{1,15}$/.test(found) ? Number(found) : -2;
}

export interface ResponseShape {
  readonly problem: string | undefined;
  /** The status, 0 when malformed. */
  readonly status: number;
}

/** Checks the headers of a response. */
export function checkResponse(headers: readonly Header[]): ResponseShape {
  const pseudo = noPseudo();
  const problem = collect(headers, pseudo);
  if (problem !== undefined) return { problem, status: 0 };
  const { method, scheme, path, authority, status } = pseudo;
  if (method !== '' || scheme !== '' || path !== '' || authority !== undefined) {
    return { problem: 'a response has request pseudo-headers', status: 0 };
  }
  if (!/^[1-9]\d\d$/.test(status) || status === '101') return { problem: 'a response has no valid :status', status: 0 };
  return { problem: undefined, status: Number(status) };
}

/** Checks trailers, which have no pseudo-headers. */
export function checkTrailers(headers: readonly Header[]): string | undefined {
  for (const [name] of headers) if (name.startsWith(':')) return 'trailers have pseudo-headers';
  return collect(headers, noPseudo());
}
