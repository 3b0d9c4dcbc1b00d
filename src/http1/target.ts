/** Request targets and Host values (RFC 9112 3.2, RFC 3986 3.2.2). */
import { CLASSES, COLON, DIGIT, HOST, isAll } from './chars.ts';

export interface RequestTarget {
  /** Undefined in origin and asterisk form, where Host says it. */
  readonly authority: string | undefined;
  /** Empty for CONNECT. */
  readonly path: string;
}

const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const MAX_PORT = 65_535;
const IPV6 = /^\[[0-9A-Fa-f:.]+\]$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/** Reads the target of a request with `method`. Returns undefined when it has none of the four forms. */
export function parseTarget(method: string, text: string): RequestTarget | undefined {
  if (method === 'CONNECT') {
    return isHost(text) && hasPort(text) ? { authority: text, path: '' } : undefined;
  }
  if (text.charCodeAt(0) === 0x2f) return { authority: undefined, path: text };
  if (text === '*') return method === 'OPTIONS' ? { authority: undefined, path: '*' } : undefined;
  const [, authority = '', rest = ''] = ABSOLUTE.exec(text) ?? [];
  if (!isHost(authority)) return undefined;
  if (rest === '') return { authority, path: method === 'OPTIONS' ? '*' : '/' };
  return { authority, path: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Whether `text` is a host with an optional port: no user, no list, no empty name. */
export function isHost(text: string): boolean {
  if (text.charCodeAt(0) === OPENING_BRACKET) {
    const close = text.indexOf(']');
    return IPV6.test(text.slice(0, close + 1)) && isPort(text, close + 1);
  }
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COLON) return at > 0 && isPort(text, at);
    if (code > 0xff || ((CLASSES[code] ?? 0) & HOST) === 0) return false;
    if (code === OPENING_BRACKET || code === CLOSING_BRACKET) return false;
  }
  return text.length > 0;
}

/** Whether what begins at `at` is nothing or a colon and a port. */
function isPort(text: string, at: number): boolean {
  if (at === text.length) return true;
  const port = text.slice(at + 1);
  return text[at] === ':' && port.length <= 5 && isAll(port, DIGIT) && Number(port) <= MAX_PORT;
}

function hasPort(text: string): boolean {
  return text.lastIndexOf(':') > text.lastIndexOf(']');
}
