/** Field lines of heads and trailer sections (RFC 9112 5): CRLF only, no folding, no space before the colon. */
import { CLASSES, COLON, CR, LF, LOWER, SPACE, TAB, TOKEN, VALUE } from './chars.ts';
import { type FieldName, type FieldRole, fieldName, mixName } from './field-names.ts';
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
    if (!endsLine(bytes, at)) return malformed('a field value holds a control character');
    const valueEnd = trimmedEnd(bytes, valueStart, at);
    at += 2;
    if (count > maxFields) return fault(431, 'the message has too many fields');
    const name = fieldName(bytes, nameStart, nameEnd, hash);
    const problem = take(taker, name, text.slice(valueStart - start, valueEnd - start), valueEnd + 2 < at);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function take(taker: FieldTaker, name: FieldName, value: string, trimmed: boolean): Http1Fault | undefined {
  // Readers differ on whether a blank behind it makes it another coding.
  if (trimmed && name.role === 'transfer-encoding') return malformed('Transfer-Encoding ends with a blank');
  return taker.takeField(name.role, name.text, value);
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (isBlank(bytes[at])) at += 1;
  return at;
}

function endsLine(bytes: Buffer, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF;
}

function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1])) at -= 1;
  return at;
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB;
}
