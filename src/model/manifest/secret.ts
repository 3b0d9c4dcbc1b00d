/**
 * Secret, as far as TLS to endpoints goes (facts l7-and-control 2.5): what it holds, checked as far as it can be without
 * the endpoint.
 *
 * Invariant: nothing of its content is in a problem.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { errorText } from '../../base/errors.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type FieldReader, fieldsOf, isRecord } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';

/** Keys as `kubernetes.io/tls` has them, then the older generic ones. */
const KEYS = {
  certificate: ['tls.crt', 'cert'],
  key: ['tls.key', 'key'],
  ca: ['ca.crt', 'cacert'],
  crl: ['ca.crl', 'crl'],
} as const;

/** All keys that are read. */
export const READ_SECRET_KEYS: readonly string[] = Object.values(KEYS).flat();

/** Problems are without the name of the Secret. */
export interface SecretObject {
  readonly kind: 'Secret';
  readonly meta: ObjectMeta;
  /** PEM of certificate with chain, and of its key. */
  readonly own: Result<{ readonly certificate: string; readonly key: string }, string>;
  /** PEM; undefined where there is none, which may be elsewhere. */
  readonly ca: Result<string, string> | undefined;
  /** PEM; empty where there is none. */
  readonly crl: string;
}

type Part = keyof typeof KEYS;
type Texts = ReadonlyMap<string, string>;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export function readSecret(meta: ObjectMeta, root: FieldReader): SecretObject {
  const texts = new Map([...readTexts(root, 'data', decoded), ...readTexts(root, 'stringData', plain)]);
  const ca = textOf(texts, 'ca');
  return {
    kind: 'Secret',
    meta,
    own: ownCertificate(texts),
    ca: ca === '' ? undefined : certificatesIn(ca, 'ca'),
    crl: textOf(texts, 'crl'),
  };
}

/** That it has none. */
export const NO_AUTHORITY = `has no ${keysOf('ca')}`;

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

function ownCertificate(texts: Texts): SecretObject['own'] {
  const text = textOf(texts, 'certificate');
  const key = textOf(texts, 'key');
  if (text === '') return fail(`has no ${keysOf('certificate')}`);
  if (key === '') return fail(`has no ${keysOf('key')}`);
  const certificate = certificatesIn(text, 'certificate');
  if (!certificate.ok) return certificate;
  try {
    const isPair = new X509Certificate(certificate.value).checkPrivateKey(createPrivateKey(key));
    return isPair ? ok({ certificate: certificate.value, key }) : fail('has a key that is not of its certificate');
  } catch {
    // What the parser says could quote the key.
    return fail(`has in ${keysOf('key')} no private key in PEM without a passphrase`);
  }
}

/** The certificates, and nothing else that may stand next to them, such as a key. */
function certificatesIn(text: string, part: Part): Result<string, string> {
  const found = text.match(CERTIFICATES) ?? [];
  if (found.length === 0) return fail(`has in ${keysOf(part)} no certificate in PEM`);
  try {
    for (const one of found) new X509Certificate(one);
    return ok(found.join('\n'));
  } catch (error) {
    return fail(`has in ${keysOf(part)} what cannot be read: ${errorText(error)}`);
  }
}

function textOf(texts: Texts, part: Part): string {
  for (const key of KEYS[part]) {
    const text = texts.get(key);
    if (text !== undefined && text !== '') return text;
  }
  return '';
}

function keysOf(part: Part): string {
  return KEYS[part].join(' or ');
}
