/** What a client speaks, by its first bytes (facts l7-and-control 5.3). */

export type SniffedProtocol = 'http1' | 'http2' | 'tcp';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** A method and its space are within so many bytes, a request line's version mostly too. */
const MAX_SNIFFED_BYTES = 1024;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The protocol; undefined while more bytes are needed to tell. */
export function sniffProtocol(bytes: Buffer): SniffedProtocol | undefined {
  if (bytes.length === 0) return undefined;
  const compared = Math.min(bytes.length, PREFACE.length);
  if (bytes.subarray(0, compared).equals(PREFACE.subarray(0, compared))) {
    return compared === PREFACE.length ? 'http2' : undefined;
  }
  return sniffHttp1(bytes);
}

/** `METHOD target HTTP/1.` at the start of the first line. */
function sniffHttp1(bytes: Buffer): 'http1' | 'tcp' | undefined {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, MAX_SNIFFED_BYTES));
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  const complete = line.length < text.length;
  const space = line.indexOf(' ');
  if (space < 0) return !complete && line.length <= 32 && TOKEN.test(line) ? undefined : 'tcp';
  if (!TOKEN.test(line.slice(0, space))) return 'tcp';
  if (complete) return / HTTP\/1\.[01]$/.test(line) ? 'http1' : 'tcp';
  // A target that is longer than this is HTTP's, whoever else would start like it.
  return bytes.length >= MAX_SNIFFED_BYTES ? 'http1' : undefined;
}
