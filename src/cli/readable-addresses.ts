/** Addresses in a dump of the feed as people read them. */
import { ipFromBytes } from '../model/address.ts';

/** Fields of the feed that carry addresses as bytes (facts ztunnel-wire 4, workload.proto). */
const FIELDS: ReadonlySet<string> = new Set(['address', 'addresses']);

/** The same value with `10.0.0.1` in place of `CgAAAQ==`; what is no address of 4 or 16 bytes stays as it is. */
export function readableAddresses(value: unknown, field = ''): unknown {
  if (typeof value === 'string') return FIELDS.has(field) ? addressOf(value) : value;
  if (Array.isArray(value)) return value.map((one) => readableAddresses(one, field));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, readableAddresses(one, name)]));
}

function addressOf(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? (ipFromBytes(bytes) ?? text) : text;
}
