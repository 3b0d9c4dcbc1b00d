/** Field lines of heads and trailer sections (RFC 9112 5): CRLF only, no folding, no space before the colon. */
import { CLASSES, COLON, CR, LF, LOWER, SPACE, TAB, TOKEN, VALUE } from './chars.ts';
import { type FieldRole, fieldName, mixName } from './field-names.ts';
import { fault, type Http1Fault, malformed } from './http1-fault.ts';

/** Takes the fields of a section in order. Returns why one cannot be, if so. */
export interface FieldTaker {
  takeField(role: FieldRole, name: string, value: string): Http1Fault | undefined;
}

/**
 * Reads field lines.
 * @param bytes hold a section from `start` up to the CRLF at `end` that closes it
 * @param text the same section as latin1: values are slices of it
 * @param maxFields more are refused (431)
 */
export function readFields(
  bytes: Buffer,
  start: number,
  end: number,
  text: string,
  maxFields: number,
  taker: FieldTaker,
): Http1Fault | undefined {
  let at = start;
  for (let count = 1; at < end; count += 1) {
    const nameStart = at;
    let hash = 0;
    let code = bytes[at] ?? 0;
    while (((CLASSES[code] ?? 0) & TOKEN) !== 0) {
      hash = mixName(hash, LOWER[code] ?? 0);
      at += 1;
      code = bytes[at] ?? 0;
    }
    if (code !== COLON || at === nameStart) return malformed('a field line does not begin with a name and a colon');
    const nameEnd = at;
    at = skipBlanks(bytes, at + 1);
    const valueStart = at;
    while (((CLASSES[bytes[at] ?? 0] ?? 0) & VALUE) !== 0) at += 1;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return malformed('a field value holds a control character');
    const valueEnd = trimmedEnd(bytes, valueStart, at);
    at += 2;
    if (count > maxFields) return fault(431, 'the message has too many fields');
    const { role, text: name } = fieldName(bytes, nameStart, nameEnd, hash);
    const problem = taker.takeField(role, name, text.slice(valueStart - start, valueEnd - start));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (isBlank(bytes[at])) at += 1;
  return at;
}

function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1])) at -= 1;
  return at;
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB;
}
