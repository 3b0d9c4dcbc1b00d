/**
 * Names on the wire and as text.
 *
 * Invariants:
 * - Text is ASCII, without a final dot; the root is the empty text. A dot or backslash inside a label is escaped with a
 *   backslash, every byte outside of printable ASCII as `\DDD` (RFC 1035 5.1), so two names of the same text are the same
 *   bytes, and lower-casing the text never touches another byte than A to Z.
 * - A compression pointer leads only to earlier bytes than every label read so far: no loop, no walk in circles.
 */

/** Every message begins with this many bytes; no name starts in them. */
export const DNS_HEADER_BYTES = 12;
/** RFC 1035 2.3.4. */
export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;
const POINTER = 0xc0;

/** A name that was read, and the offset of the byte after it. */
export interface DnsNameRead {
  readonly name: string;
  readonly next: number;
}

/** Reads the name at `start`; undefined when it is malformed or too long. */
export function readDnsName(bytes: Uint8Array, start: number): DnsNameRead | undefined {
  const labels: string[] = [];
  let wireBytes = 1;
  let at = start;
  let segmentStart = start;
  let next = -1;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) return { name: labels.join('.'), next: next < 0 ? at + 1 : next };
    if (length >= POINTER) {
      const target = pointerTarget(bytes, at, segmentStart);
      if (target < 0) return undefined;
      if (next < 0) next = at + 2;
      at = target;
      segmentStart = target;
      continue;
    }
    const end = at + 1 + length;
    wireBytes += 1 + length;
    if (length > MAX_LABEL_BYTES || end > bytes.length || wireBytes > MAX_NAME_BYTES) return undefined;
    labels.push(labelText(bytes, at + 1, end));
    at = end;
  }
}

/** Where the pointer at `at` leads; below zero when it is cut off or leads forward, in place, or into the header. */
function pointerTarget(bytes: Uint8Array, at: number, before: number): number {
  const low = bytes[at + 1];
  if (low === undefined) return -1;
  const target = (((bytes[at] ?? 0) & 0x3f) << 8) | low;
  return target >= DNS_HEADER_BYTES && target < before ? target : -1;
}

/** The labels of a text as bytes; undefined when the text is no name. */
export function nameLabels(name: string): readonly Uint8Array[] | undefined {
  if (name === '') return [];
  const labels: Uint8Array[] = [];
  let wireBytes = 1;
  for (const text of splitLabels(name)) {
    const label = labelBytes(text);
    if (label === undefined || label.length === 0 || label.length > MAX_LABEL_BYTES) return undefined;
    wireBytes += 1 + label.length;
    if (wireBytes > MAX_NAME_BYTES) return undefined;
    labels.push(label);
  }
  return labels;
}

/** The labels of a text as texts, escapes kept. */
export function splitLabels(name: string): string[] {
  if (!name.includes('\\')) return name.split('.');
  const labels: string[] = [];
  let start = 0;
  for (let at = 0; at < name.length; at++) {
    if (name[at] === '\\') at++;
    else if (name[at] === '.') {
      labels.push(name.slice(start, at));
      start = at + 1;
    }
  }
  labels.push(name.slice(start));
  return labels;
}

function labelText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${byte.toString().padStart(3, '0')}`;
  }
  return text;
}

function labelBytes(text: string): Uint8Array | undefined {
  if (!text.includes('\\')) {
    // Text from elsewhere, a hostname of the feed for one, may hold what no label can.
    const bytes = Buffer.from(text, 'latin1');
    return bytes.length === text.length && isPrintable(text) ? bytes : undefined;
  }
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const decimal = /^\\(\d{3})/.exec(text.slice(at, at + 4))?.[1];
    if (decimal !== undefined) {
      bytes.push(Number(decimal));
      at += 3;
    } else if (text[at] === '\\') bytes.push(text.charCodeAt(++at));
    else bytes.push(text.charCodeAt(at));
  }
  return bytes.every((byte) => byte >= 0 && byte <= 0xff) ? Uint8Array.from(bytes) : undefined;
}

function isPrintable(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}
