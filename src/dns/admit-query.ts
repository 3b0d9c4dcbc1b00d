/** The first step of every server: what gets past it is a well-formed query of a kind that is served. */
import { type DnsQuery, parseDnsQuery } from './dns-message.ts';
import { type DnsTransport, encodeDnsReply, encodeHeaderReply } from './dns-reply.ts';
import { RCODE } from './record-type.ts';

export type Admission =
  | { readonly kind: 'query'; readonly query: DnsQuery }
  /** To be sent back as it is. */
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  | { readonly kind: 'ignored' };

/** Reads a query and answers what cannot be served: other opcodes, malformed messages, other versions of EDNS. */
export function admitQuery(bytes: Uint8Array, transport: DnsTransport): Admission {
  const parsed = parseDnsQuery(bytes);
  if (parsed.kind === 'ignored') return parsed;
  if (parsed.kind === 'refused') return { kind: 'reply', bytes: encodeHeaderReply(parsed.header, parsed.rcode) };
  const { query } = parsed;
  if (query.edns === undefined || query.edns.version === 0) return parsed;
  const rcode = RCODE.BADVERS;
  const reply = { query, rcode, authoritative: false, recursionAvailable: true, answers: [], transport };
  return { kind: 'reply', bytes: encodeDnsReply(reply) };
}
