/** Signature algorithms of certificates and signing requests; the signing itself is node:crypto. */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { bitString, type DerNode, encodeDer, nullValue, oid, sequence } from './der.ts';
import { OID } from './oids.ts';

/** What the OID of a signature says: the digest and the kind of key. */
export interface SignatureAlgorithm {
  readonly oid: string;
  readonly digest: 'sha256' | 'sha384' | 'sha512';
  readonly keyType: 'rsa' | 'ec';
}

const ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: OID.sha256WithRsa, digest: 'sha256', keyType: 'rsa' },
  { oid: OID.sha384WithRsa, digest: 'sha384', keyType: 'rsa' },
  { oid: OID.sha512WithRsa, digest: 'sha512', keyType: 'rsa' },
  { oid: OID.ecdsaWithSha256, digest: 'sha256', keyType: 'ec' },
  { oid: OID.ecdsaWithSha384, digest: 'sha384', keyType: 'ec' },
  { oid: OID.ecdsaWithSha512, digest: 'sha512', keyType: 'ec' },
];
const BY_OID = new Map(ALGORITHMS.map((algorithm) => [algorithm.oid, algorithm]));
/** Digest by curve, as strong as the curve (RFC 5758). */
const EC_OID: Readonly<Record<string, string>> = {
  prime256v1: OID.ecdsaWithSha256,
  secp384r1: OID.ecdsaWithSha384,
  secp521r1: OID.ecdsaWithSha512,
};

/** The algorithm of an OID; undefined when it is not accepted (SHA-1 and MD5 are not). */
export function signatureAlgorithm(dotted: string): SignatureAlgorithm | undefined {
  return BY_OID.get(dotted);
}

/** The algorithm with which a key signs; undefined for key types that are not supported. */
export function algorithmForKey(key: KeyObject): SignatureAlgorithm | undefined {
  if (key.asymmetricKeyType === 'rsa') return BY_OID.get(OID.sha256WithRsa);
  if (key.asymmetricKeyType !== 'ec') return undefined;
  return BY_OID.get(EC_OID[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? '');
}

/** AlgorithmIdentifier; RSA carries a NULL parameter, ECDSA none. */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): DerNode {
  return algorithm.keyType === 'rsa' ? sequence(oid(algorithm.oid), nullValue()) : sequence(oid(algorithm.oid));
}

/** Signs `toBeSigned` and wraps it as SEQUENCE {toBeSigned, algorithm, signature}, the shape of X.509 and PKCS#10. */
export function signedSequence(toBeSigned: DerNode, algorithm: SignatureAlgorithm, key: KeyObject): Buffer {
  const signature = sign(algorithm.digest, encodeDer(toBeSigned), key);
  return encodeDer(sequence(toBeSigned, algorithmIdentifier(algorithm), bitString(signature)));
}

/** The RFC 5280 4.2.1.2 (1) key identifier: SHA-1 over the public key bits. It names a key, it protects nothing. */
export function keyIdentifier(publicKeyBits: Uint8Array): Buffer {
  return createHash('sha1').update(publicKeyBits).digest();
}
