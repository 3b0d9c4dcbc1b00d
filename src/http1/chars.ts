/** Character classes of HTTP/1 as one table lookup per byte (RFC 9110 5.5, 5.6.2; RFC 3986; RFC 9112 3.2). */

/** tchar. */
export const TOKEN = 1;
/** HTAB, SP, VCHAR and obs-text: what a field value may hold. */
export const VALUE = 2;
/**
 * What a request target may hold: visible ASCII but for `"`, `<`, `>` and `#`. RFC 3986 also forbids `[ ] \ ^ { | }` and
 * the backtick, which clients send unescaped in queries; none of them delimits anything.
 */
export const TARGET = 4;
/** What a host and port may hold: unreserved, sub-delims without the comma, percent, colon, brackets. */
export const HOST = 8;
/** Digits. */
export const DIGIT = 16;

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

/** The classes of each byte. */
export const CLASSES: Readonly<Uint8Array> = classes();
/** Each byte, upper-case letters as lower-case ones. */
export const LOWER: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x41 && code <= 0x5a ? code + 32 : code,
);

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (text: string, flag: number) => {
    for (let at = 0; at < text.length; at += 1) table[text.charCodeAt(at)] = (table[text.charCodeAt(at)] ?? 0) | flag;
  };
  const digits = '0123456789';
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  mark(`${digits}${letters}!#$%&'*+-.^_\`|~`, TOKEN);
  mark(`${digits}${letters}-._~!$&'()*+;=%:[]`, HOST);
  mark(digits, DIGIT);
  for (let code = 0; code < 256; code += 1) {
    const visible = code > 0x20 && code < 0x7f;
    if (visible || code === TAB || code === SPACE || code > 0x7f) table[code] = (table[code] ?? 0) | VALUE;
    if (visible && !'"<>#'.includes(String.fromCharCode(code))) table[code] = (table[code] ?? 0) | TARGET;
  }
  return table;
}

/** The value of a hex digit, or -1. */
export function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Whether all characters of `text` are of a class, and there is one. */
export function isAll(text: string, flag: number): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0xff || ((CLASSES[code] ?? 0) & flag) === 0) return false;
  }
  return text.length > 0;
}
