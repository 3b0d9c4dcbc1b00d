/** Field names in lower case: common ones come out of a table without an allocation, with what they mean to the codec. */
import { LOWER } from './chars.ts';

/** What a field is to the codec itself. */
export type FieldRole =
  | 'plain'
  | 'host'
  | 'content-length'
  | 'transfer-encoding'
  | 'connection'
  | 'upgrade'
  | 'te'
  | 'expect'
  /** Concerns one connection only and is dropped. */
  | 'hop';

export interface FieldName {
  readonly text: string;
  readonly role: FieldRole;
}

const OWN_ROLES = ['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'expect'] as const;
/** RFC 9110 7.6.1, RFC 9112 C.2.2; `http2-settings` asks for an upgrade to h2c, which is never made. */
const HOP_NAMES = ['keep-alive', 'proxy-connection', 'http2-settings'];
const PLAIN_NAMES =
  `accept accept-encoding accept-language accept-ranges access-control-allow-origin access-control-request-headers
  access-control-request-method age alt-svc authorization b3 baggage cache-control content-disposition content-encoding
  content-language content-location content-range content-security-policy content-type cookie date dnt etag expires
  forwarded from if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location
  origin pragma priority proxy-authenticate proxy-authorization range referer retry-after sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept
  sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version server server-timing set-cookie
  strict-transport-security traceparent tracestate trailer transaction-id upgrade-insecure-requests user-agent vary via
  www-authenticate x-api-key x-b3-flags x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-content-type-options
  x-correlation-id x-envoy-attempt-count x-envoy-decorator-operation x-envoy-external-address x-envoy-internal
  x-envoy-peer-metadata x-envoy-peer-metadata-id x-envoy-upstream-service-time x-forwarded-client-cert x-forwarded-for
  x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by x-ratelimit-limit
  x-ratelimit-remaining x-ratelimit-reset x-real-ip x-request-id x-requested-with x-xss-protection`
    .trim()
    .split(/\s+/);

/** What is known to be a name: it need not be looked at again, character by character. */
export const KNOWN_NAMES: ReadonlySet<string> = new Set([...OWN_ROLES, ...HOP_NAMES, ...PLAIN_NAMES]);

const SLOTS = 1024;
const table: (FieldName | undefined)[] = Array.from({ length: SLOTS });
for (const role of OWN_ROLES) insert({ text: role, role });
for (const text of HOP_NAMES) insert({ text, role: 'hop' });
for (const text of PLAIN_NAMES) insert({ text, role: 'plain' });

/** A name of two that fall into the same slot goes without; those with a role come first. */
function insert(name: FieldName): void {
  let hash = 0;
  for (let at = 0; at < name.text.length; at += 1) hash = mixName(hash, name.text.charCodeAt(at));
  const slot = hash & (SLOTS - 1);
  if (table[slot] === undefined) table[slot] = name;
  else if (name.role !== 'plain') throw new Error(`field name ${name.text} has no slot of its own`);
}

/** One step of the hash of a name in lower case; begin with 0. */
export function mixName(hash: number, lowerCode: number): number {
  return (Math.imul(hash, 31) + lowerCode) | 0;
}

/**
 * The name at `start` to `end`, token characters in any case.
 * @param hash of its lower-case characters, by `mixName`
 */
export function fieldName(bytes: Buffer, start: number, end: number, hash: number): FieldName {
  const known = table[hash & (SLOTS - 1)];
  if (known !== undefined && known.text.length === end - start && matches(bytes, start, known.text)) return known;
  return { text: bytes.toString('latin1', start, end).toLowerCase(), role: 'plain' };
}

function matches(bytes: Buffer, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (LOWER[bytes[start + at] ?? 0] !== text.charCodeAt(at)) return false;
  }
  return true;
}
