/** What a Secret gives for TLS to endpoints, checked as far as it can be without the endpoint (facts l7-and-control 2.5). */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { errorText } from '../../../base/errors.ts';
import { SECRET_KEYS, type SecretObject } from '../../../model/manifest/secret.ts';
import type { Credential } from '../../../proto/gen/ambit.ts';

export interface SecretLookup {
  /** Undefined when there is none, or it cannot be read. */
  find(name: string): SecretObject | undefined;
}

type Part = keyof typeof SECRET_KEYS;

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const AUTHORITY_SUFFIX = '-cacert';

/**
 * @param title of the Secret, for messages; nothing of its content is in them
 * @param shows whether the waypoint shows a certificate of its own: without, the key stays out
 */
export function credentialOfSecret(lookup: SecretLookup, name: string, title: string, shows: boolean): Credential {
  const secret = lookup.find(name);
  if (secret === undefined && shows) {
    return unusable(`${title} does not exist, or the control plane may not read it`);
  }
  const own = shows ? ownCertificate(secret, title) : { certificate: '', key: '' };
  if (typeof own === 'string') return unusable(own);
  const holder = textOf(secret, 'ca') === '' ? lookup.find(`${name}${AUTHORITY_SUFFIX}`) : secret;
  if (secret === undefined && holder === undefined) {
    return unusable(`${title} does not exist, or the control plane may not read it`);
  }
  const text = textOf(holder, 'ca');
  const caProblem = text === '' ? `${title} has no ${keysOf('ca')}` : problemOfCertificates(text, title, 'ca');
  const crl = textOf(secret, 'crl') || textOf(holder, 'crl');
  return { problem: '', ...own, ca: caProblem === '' ? certificatesIn(text).join('\n') : '', crl, caProblem };
}

function ownCertificate(
  secret: SecretObject | undefined,
  title: string,
): Pick<Credential, 'certificate' | 'key'> | string {
  const text = textOf(secret, 'certificate');
  const key = textOf(secret, 'key');
  if (text === '') return `${title} has no ${keysOf('certificate')}`;
  if (key === '') return `${title} has no ${keysOf('key')}`;
  const problem = problemOfCertificates(text, title, 'certificate');
  if (problem !== '') return problem;
  const certificate = certificatesIn(text).join('\n');
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return { certificate, key };
    return `${title}: its key does not belong to its certificate`;
  } catch {
    // What the parser says could quote the key.
    return `${title}: ${keysOf('key')} is no private key in PEM without a passphrase`;
  }
}

/** Empty when all is well. */
function problemOfCertificates(pem: string, title: string, part: Part): string {
  const found = certificatesIn(pem);
  if (found.length === 0) return `${title}: ${keysOf(part)} is no certificate in PEM`;
  try {
    for (const one of found) new X509Certificate(one);
    return '';
  } catch (error) {
    return `${title}: ${keysOf(part)} cannot be read: ${errorText(error)}`;
  }
}

/** Nothing else that may be in the text: a key next to its certificate stays here. */
function certificatesIn(pem: string): readonly string[] {
  return pem.match(CERTIFICATES) ?? [];
}

function textOf(secret: SecretObject | undefined, part: Part): string {
  for (const key of SECRET_KEYS[part]) {
    const text = secret?.texts.get(key);
    if (text !== undefined && text !== '') return text;
  }
  return '';
}

function keysOf(part: Part): string {
  return SECRET_KEYS[part].join(' or ');
}

function unusable(problem: string): Credential {
  return { problem, certificate: '', key: '', ca: '', crl: '', caProblem: '' };
}
