/** An in-memory certificate authority for tests: leafs for any identity, good ones and every kind of bad one. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { SignJWT } from 'jose';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { type Issuer, issueCaCertificate, issueLeaf } from '../../src/pki/certificate-signing.ts';
import {
  boolean,
  childrenOf,
  contextConstructed,
  decodeDer,
  encodeDer,
  octetString,
  oidOf,
  sequence,
} from '../../src/pki/der.ts';
import { OID } from '../../src/pki/oids.ts';
import { parseCertificate } from '../../src/pki/parsed-certificate.ts';
import { formatPem } from '../../src/pki/pem.ts';
import { algorithmForKey, signedSequence } from '../../src/pki/signature-algorithm.ts';
import type { WorkloadCertificate } from '../../src/pki/workload-certificate.ts';

const HOUR_MS = 3_600_000;

export interface TestLeafOptions {
  /** SPIFFE id, or any URI. Default `spiffe://cluster.local/ns/default/sa/default`. */
  readonly uri?: string;
  /** Several URI names in one certificate; replaces `uri`. Empty: none at all. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Default one hour ago. */
  readonly notBeforeMs?: number;
  /** Default in one hour. */
  readonly notAfterMs?: number;
  /** Default both; `none-of-them` is codeSigning only. */
  readonly usage?: 'both' | 'server' | 'client' | 'none-of-them';
  /** Says that it may sign certificates itself, although it names a workload. */
  readonly isAuthority?: boolean;
  /** Default a new P-256 key. */
  readonly privateKey?: KeyObject;
}

export interface TestLeaf {
  /** PEM of the leaf alone. */
  readonly certPem: string;
  /** PEM, PKCS#8. */
  readonly keyPem: string;
  /** PEM of the leaf and its intermediates. */
  readonly chainPem: string;
  readonly rootPem: string;
}

export interface TestCa {
  readonly rootPem: string;
  readonly issuer: Issuer;
  /** Issues a leaf. */
  leaf(options?: TestLeafOptions): TestLeaf;
  /** An intermediate below this CA, which issues leafs of its own. */
  intermediate(name?: string): TestCa;
}

const USAGES = {
  both: [OID.serverAuth, OID.clientAuth],
  server: [OID.serverAuth],
  client: [OID.clientAuth],
  'none-of-them': [OID.codeSigning],
} as const;

export interface TestCaOptions {
  readonly organization?: string;
  readonly keyType?: 'ec' | 'rsa';
  readonly notAfterMs?: number;
}

/** Creates a root of its own: two calls give two roots that do not trust each other. */
export function createTestCa(options: TestCaOptions = {}): TestCa {
  const privateKey = options.keyType === 'rsa' ? rsaKey() : ecKey();
  const organization = options.organization ?? 'cluster.local';
  const notAfterMs = options.notAfterMs ?? Date.now() + 24 * HOUR_MS;
  const der = issueCaCertificate({ privateKey, organization, notBeforeMs: Date.now() - 24 * HOUR_MS, notAfterMs });
  const issuer = issuerOf(der, privateKey);
  return testCa(issuer, [], issuer.certificate.pem);
}

/** An authority that somebody else created. @param all PEM */
export function openTestCa(certificate: string, key: string, root: string): TestCa {
  return testCa(issuerOf(new X509Certificate(certificate).raw, createPrivateKey(key)), [], root);
}

/** SPIFFE id text of a service account in `cluster.local`. */
export function testSpiffeId(namespace: string, serviceAccount: string, trustDomain = 'cluster.local'): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** What a ztunnel has of a leaf. @param rootsPem whom it trusts */
export function workloadCertificate(leaf: TestLeaf, rootsPem: readonly string[] = [leaf.rootPem]): WorkloadCertificate {
  const { validFromDate, validToDate } = new X509Certificate(leaf.certPem);
  return {
    identity: '' as SpiffeId,
    keyPem: leaf.keyPem,
    chainPem: [leaf.chainPem],
    rootsPem,
    notBeforeMs: validFromDate.getTime(),
    notAfterMs: validToDate.getTime(),
  };
}

function testCa(issuer: Issuer, above: readonly string[], rootPem: string): TestCa {
  return {
    rootPem,
    issuer,
    leaf: (options = {}) => leafOf(issuer, above, rootPem, options),
    intermediate: (name = 'intermediate') => {
      const privateKey = ecKey();
      const der = issueCaCertificate({
        privateKey,
        organization: 'cluster.local',
        commonName: name,
        issuer,
        notBeforeMs: Date.now() - 24 * HOUR_MS,
        notAfterMs: Date.now() + 24 * HOUR_MS,
      });
      return testCa(issuerOf(der, privateKey), [formatPem('CERTIFICATE', der), ...above], rootPem);
    },
  };
}

function leafOf(issuer: Issuer, above: readonly string[], rootPem: string, options: TestLeafOptions): TestLeaf {
  const privateKey = options.privateKey ?? ecKey();
  const issued = issueLeaf(issuer, {
    publicKey: createPublicKey(privateKey),
    uris: options.uris ?? [options.uri ?? testSpiffeId('default', 'default')],
    dnsNames: options.dnsNames ?? [],
    notBeforeMs: options.notBeforeMs ?? Date.now() - HOUR_MS,
    notAfterMs: options.notAfterMs ?? Date.now() + HOUR_MS,
    extendedKeyUsage: USAGES[options.usage ?? 'both'],
  });
  const der = options.isAuthority === true ? asAuthority(issued, issuer.privateKey) : issued;
  const certPem = formatPem('CERTIFICATE', der);
  return { certPem, keyPem: keyPemOf(privateKey), chainPem: [certPem, ...above].join(''), rootPem };
}

/** The certificate with other basic constraints, signed anew. */
function asAuthority(der: Buffer, key: KeyObject): Buffer {
  const parts = [...childrenOf(childrenOf(decodeDer(der))[0])];
  const extensions = childrenOf(childrenOf(parts.at(-1))[0]).map((extension) => {
    const [id] = childrenOf(extension);
    if (id === undefined || oidOf(id) !== OID.basicConstraints) return extension;
    return sequence(id, boolean(true), octetString(encodeDer(sequence(boolean(true)))));
  });
  const algorithm = algorithmForKey(key);
  if (algorithm === undefined) throw new Error('the key of the test CA does not sign');
  return signedSequence(
    sequence(...parts.slice(0, -1), contextConstructed(3, sequence(...extensions))),
    algorithm,
    key,
  );
}

function issuerOf(der: Buffer, privateKey: KeyObject): Issuer {
  const certificate = parseCertificate(der);
  if (certificate === undefined) throw new Error('the test CA issued a certificate that cannot be read');
  return { certificate, privateKey };
}

function keyPemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function ecKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function rsaKey(): KeyObject {
  return createPrivateKey(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
}

export interface TestTokenOptions {
  /** Default `istio-system`. */
  readonly namespace?: string;
  /** Default `ztunnel`. */
  readonly serviceAccount?: string;
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly node?: string;
  /** Default `istio-ca`. */
  readonly audience?: string;
  /** Seconds from now; negative is expired. Default one hour. */
  readonly expiresInSec?: number;
}

/** Signs tokens in the shape of Kubernetes' bound service account tokens. */
export interface TestTokenIssuer {
  /** PEM of the key that verifies the tokens. */
  readonly publicKeyPem: string;
  token(options?: TestTokenOptions): Promise<string>;
}

/** Creates an issuer with a key of its own. */
export function createTestTokenIssuer(): TestTokenIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    token: (options = {}) => {
      const { namespace = 'istio-system', serviceAccount = 'ztunnel', pod, node } = options;
      const nowSec = Math.floor(Date.now() / 1000);
      const binding = {
        namespace,
        serviceaccount: { name: serviceAccount, uid: 'sa-uid' },
        ...(pod === undefined ? {} : { pod }),
        ...(node === undefined ? {} : { node: { name: node, uid: 'node-uid' } }),
      };
      return new SignJWT({ 'kubernetes.io': binding })
        .setProtectedHeader({ alg: 'ES256' })
        .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
        .setAudience(options.audience ?? 'istio-ca')
        .setIssuedAt(nowSec - 10)
        .setExpirationTime(nowSec + (options.expiresInSec ?? 3600))
        .sign(privateKey);
    },
  };
}
