/**
 * Secret, as far as TLS to endpoints goes (facts l7-and-control 2.5).
 *
 * Invariant: nothing of its content is in a problem that is reported.
 */
import { type FieldReader, fieldsOf, isRecord } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';

/** Keys as `kubernetes.io/tls` has them, then the older generic ones. */
export const SECRET_KEYS = {
  certificate: ['tls.crt', 'cert'],
  key: ['tls.key', 'key'],
  ca: ['ca.crt', 'cacert'],
  crl: ['ca.crl', 'crl'],
} as const;

/** All keys that are read. */
export const READ_SECRET_KEYS: readonly string[] = Object.values(SECRET_KEYS).flat();

export interface SecretObject {
  readonly kind: 'Secret';
  readonly meta: ObjectMeta;
  /** Decoded, by key; only keys that are read. */
  readonly texts: ReadonlyMap<string, string>;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function readSecret(meta: ObjectMeta, root: FieldReader): SecretObject {
  return {
    kind: 'Secret',
    meta,
    texts: new Map([...readTexts(root, 'data', decoded), ...readTexts(root, 'stringData', plain)]),
  };
}

function* readTexts(
  root: FieldReader,
  field: string,
  read: (value: unknown) => string | undefined,
): Iterable<readonly [string, string]> {
  const values = root.raw(field);
  if (values !== undefined && !isRecord(values)) root.report(field, 'must be an object');
  for (const key of READ_SECRET_KEYS) {
    const value = fieldsOf(values)[key] ?? undefined;
    const text = read(value);
    if (text !== undefined) yield [key, text];
    else if (value !== undefined) root.reportAt([field, key], field === 'data' ? 'is not base64' : 'must be a string');
  }
}

function plain(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function decoded(value: unknown): string | undefined {
  // Manifests may fold long values.
  const text = plain(value)?.replace(/\s+/g, '');
  return text !== undefined && BASE64.test(text) ? Buffer.from(text, 'base64').toString('utf8') : undefined;
}
