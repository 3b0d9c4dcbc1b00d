/** Answers of other name servers: whether one belongs to a query, and how it is passed on. */
import type { DnsQuery } from './dns-message.ts';
import { DNS_HEADER_BYTES, readDnsName } from './dns-name.ts';
import { type DnsTransport, encodeDnsReply, maxReplyBytes } from './dns-reply.ts';
import { RCODE } from './record-type.ts';

export interface UpstreamAnswer {
  readonly bytes: Uint8Array;
  readonly rcode: number;
  readonly truncated: boolean;
  /** False: an error without any section, as old servers send it. */
  readonly hasQuestion: boolean;
}

/**
 * Reads an answer to a query that was sent under the id.
 * @returns undefined when it is not an answer, or one to another question: a forgery or a stray
 */
export function readUpstreamAnswer(bytes: Uint8Array, id: number, query: DnsQuery): UpstreamAnswer | undefined {
  const [idHigh = 0, idLow = 0, high = 0, low = 0, countHigh = 0, countLow = 0] = bytes;
  if (bytes.length < DNS_HEADER_BYTES || ((idHigh << 8) | idLow) !== id) return undefined;
  if ((high & 0x80) === 0 || ((high >> 3) & 15) !== query.opcode) return undefined;
  const count = (countHigh << 8) | countLow;
  const rcode = low & 15;
  const answer = { bytes, rcode, truncated: (high & 2) !== 0, hasQuestion: count === 1 };
  if (count === 0) return rcode === RCODE.NOERROR ? undefined : answer;
  return count === 1 && repeatsQuestion(bytes, query) ? answer : undefined;
}

/** The answer as the client gets it: under its own id, and cut to what it takes. */
export function passOnAnswer(answer: UpstreamAnswer, query: DnsQuery, transport: DnsTransport): Buffer {
  const { bytes, rcode, hasQuestion } = answer;
  const tooLong = bytes.length > maxReplyBytes(query, transport);
  if (!hasQuestion || tooLong) {
    return encodeDnsReply({
      query,
      rcode,
      authoritative: false,
      recursionAvailable: true,
      answers: [],
      transport,
      truncated: tooLong,
    });
  }
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(query.id, 0);
  return copy;
}

/** Servers may normalise the case of the name; everything else has to be the same. */
function repeatsQuestion(bytes: Uint8Array, { question, questionBytes }: DnsQuery): boolean {
  const read = readDnsName(bytes, DNS_HEADER_BYTES);
  if (read === undefined || read.name.toLowerCase() !== question.name.toLowerCase()) return false;
  for (let index = 0; index < 4; index++) {
    if (bytes[read.next + index] !== questionBytes[questionBytes.length - 4 + index]) return false;
  }
  return true;
}
