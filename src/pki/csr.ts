/**
 * PKCS#10 signing requests (RFC 2986). The CA takes nothing from a request but the public key: names are decided by
 * who asks (facts ztunnel-wire 10.3 rule 5), so subject and requested extensions are not even read.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import {
  bitStringBytes,
  childrenOf,
  contentOffset,
  contextConstructed,
  contextPrimitive,
  decodeDer,
  derElement,
  encodeDer,
  isSequence,
  octetString,
  oid,
  oidOf,
  positiveInteger,
  sequence,
  set,
} from './der.ts';
import { OID } from './oids.ts';
import { formatPem, parsePem } from './pem.ts';
import { algorithmForKey, signatureAlgorithm, signedSequence } from './signature-algorithm.ts';

export type CsrErrorCode = 'CSR_TOO_LARGE' | 'CSR_MALFORMED' | 'CSR_KEY_REFUSED' | 'CSR_SIGNATURE_INVALID';

/** A request whose signature was verified. */
export interface VerifiedCsr {
  readonly publicKey: KeyObject;
}

/** An RSA-8192 request is about 3 KiB. */
const MAX_CSR_BYTES = 16 * 1024;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const CURVES = new Set(['prime256v1', 'secp384r1']);
const LABELS = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);

/** Reads a PEM request, checks its key and its own signature. Never throws. */
export function verifyCsr(pem: string): Result<VerifiedCsr, AmbitError<CsrErrorCode>> {
  if (pem.length > MAX_CSR_BYTES) return refuse('CSR_TOO_LARGE', `the request is larger than ${MAX_CSR_BYTES} bytes`);
  const blocks = parsePem(pem);
  const [block] = blocks;
  if (block === undefined || blocks.length !== 1 || !LABELS.has(block.label)) {
    return refuse('CSR_MALFORMED', 'the request is not one PEM block CERTIFICATE REQUEST');
  }
  const fields = csrFields(block.der);
  if (fields === undefined) return refuse('CSR_MALFORMED', 'the request is not PKCS#10');
  const keyProblem = refusedKey(fields.publicKey);
  if (keyProblem !== undefined) return refuse('CSR_KEY_REFUSED', keyProblem);
  if (!hasValidSignature(fields)) {
    return refuse('CSR_SIGNATURE_INVALID', 'the signature does not prove possession of the key');
  }
  return ok({ publicKey: fields.publicKey });
}

/**
 * A request with an empty subject and one URI name (facts ztunnel-wire 10.2).
 * @param privateKey P-256, P-384 or RSA
 * @returns PEM
 */
export function createCsr(privateKey: KeyObject, uri: string): string {
  const algorithm = algorithmForKey(privateKey);
  if (algorithm === undefined) {
    throw new AmbitError<CsrErrorCode>('CSR_KEY_REFUSED', 'a signing request needs an EC or RSA key');
  }
  const names = sequence(contextPrimitive(6, Buffer.from(uri, 'latin1')));
  const extensions = sequence(sequence(oid(OID.subjectAltName), octetString(encodeDer(names))));
  const spki = decodeDer(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })) ?? sequence();
  const info = sequence(
    positiveInteger(Buffer.of(0)),
    sequence(),
    spki,
    contextConstructed(0, sequence(oid(OID.extensionRequest), set(extensions))),
  );
  return formatPem('CERTIFICATE REQUEST', signedSequence(info, algorithm, privateKey));
}

interface CsrFields {
  readonly signedBytes: Buffer;
  readonly publicKey: KeyObject;
  readonly algorithmOid: string;
  readonly signature: Buffer;
}

function csrFields(der: Buffer): CsrFields | undefined {
  const root = decodeDer(der);
  const [info, algorithm, signatureNode, ...extra] = childrenOf(root);
  const infoOffset = contentOffset(der, 0);
  if (![root, info, algorithm].every(isSequence) || extra.length > 0 || infoOffset === undefined) return undefined;
  const signedBytes = derElement(der, infoOffset);
  const spki = childrenOf(info)[2];
  const signature = bitStringBytes(signatureNode);
  if (signedBytes === undefined || spki === undefined || signature === undefined) return undefined;
  const publicKey = readPublicKey(encodeDer(spki));
  if (publicKey === undefined) return undefined;
  return { signedBytes, publicKey, algorithmOid: oidOf(childrenOf(algorithm)[0]), signature };
}

function readPublicKey(spki: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    // Points off the curve, unknown algorithms and plain rubbish are all "not PKCS#10" to the caller.
    return undefined;
  }
}

function refusedKey(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ec') {
    return CURVES.has(details?.namedCurve ?? '') ? undefined : `the curve is not P-256 or P-384`;
  }
  if (key.asymmetricKeyType !== 'rsa') return `${key.asymmetricKeyType ?? 'unknown'} keys are refused`;
  const bits = details?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS) return `the RSA key has ${bits} bits, fewer than ${MIN_RSA_BITS}`;
  return bits > MAX_RSA_BITS ? `the RSA key has ${bits} bits, more than ${MAX_RSA_BITS}` : undefined;
}

function hasValidSignature(fields: CsrFields): boolean {
  const algorithm = signatureAlgorithm(fields.algorithmOid);
  if (algorithm === undefined || algorithm.keyType !== fields.publicKey.asymmetricKeyType) return false;
  try {
    return verify(algorithm.digest, fields.signedBytes, fields.publicKey, fields.signature);
  } catch {
    // OpenSSL raises for keys it cannot use; that proves possession of nothing.
    return false;
  }
}

function refuse(code: CsrErrorCode, message: string): Result<never, AmbitError<CsrErrorCode>> {
  return fail(new AmbitError(code, message, { side: 'downstream' }));
}
