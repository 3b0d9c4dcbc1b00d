/** Issuing X.509 v3 certificates: workload leafs and root certificates (facts samples/ca-leaf-certificate.txt). */
import { createPublicKey, type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import { AmbitError } from '../base/errors.ts';
import { ipToBytes, parseIpAddress } from '../model/address.ts';
import {
  bitString,
  bitStringBytes,
  boolean,
  childrenOf,
  contextConstructed,
  contextPrimitive,
  type DerNode,
  decodeDer,
  encodeDer,
  octetString,
  oid,
  positiveInteger,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';
import { OID } from './oids.ts';
import type { ParsedCertificate } from './parsed-certificate.ts';
import { algorithmForKey, algorithmIdentifier, keyIdentifier, signedSequence } from './signature-algorithm.ts';

export type SigningErrorCode = 'UNSUPPORTED_CA_KEY';

/** Certificates start this much in the past, for callers whose clock is behind. */
export const CLOCK_SKEW_MS = 2 * 60_000;
const SERIAL_BYTES = 16;
/** KeyUsage bits, most significant first: digitalSignature 0, keyEncipherment 2, keyCertSign 5, cRLSign 6. */
const LEAF_KEY_USAGE = { bits: 0b1010_0000, unused: 5 };
const CA_KEY_USAGE = { bits: 0b0000_0110, unused: 1 };

/** What a leaf certificate says. */
export interface LeafRequest {
  readonly publicKey: KeyObject;
  /** URI names, the SPIFFE identity of a workload. */
  readonly uris?: readonly string[];
  /** DNS names, for serving certificates of the control plane; an IP address among them becomes an IP name. */
  readonly dnsNames?: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Default serverAuth and clientAuth. */
  readonly extendedKeyUsage?: readonly string[];
}

/** A certificate and the private key that signs with it. */
export interface Issuer {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
}

/** Issues a leaf with an empty subject and critical names. @returns DER */
export function issueLeaf(issuer: Issuer, request: LeafRequest): Buffer {
  const extensions = [
    extension(OID.keyUsage, true, keyUsage(LEAF_KEY_USAGE)),
    extension(
      OID.extendedKeyUsage,
      false,
      sequence(...(request.extendedKeyUsage ?? [OID.serverAuth, OID.clientAuth]).map((usage) => oid(usage))),
    ),
    extension(OID.basicConstraints, true, sequence()),
    extension(OID.authorityKeyIdentifier, false, sequence(contextPrimitive(0, issuer.certificate.subjectKeyId))),
    extension(OID.subjectAltName, true, sequence(...alternativeNames(request))),
  ];
  return signCertificate(issuer.privateKey, {
    issuer: issuer.certificate.subject,
    subject: sequence(),
    publicKey: request.publicKey,
    notBeforeMs: request.notBeforeMs,
    notAfterMs: request.notAfterMs,
    extensions,
  });
}

export interface CaRequest {
  readonly privateKey: KeyObject;
  readonly organization: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Undefined: the certificate signs itself, a root. */
  readonly issuer?: Issuer;
  /** Distinguishes several certificates of one organization. */
  readonly commonName?: string;
}

/** Issues a CA certificate: a root, or an intermediate below `issuer`. @returns DER */
export function issueCaCertificate(request: CaRequest): Buffer {
  const publicKey = createPublicKey(request.privateKey);
  const subject = distinguishedName(request);
  const ownKeyId = keyIdentifier(publicKeyBits(publicKey));
  const extensions = [
    extension(OID.keyUsage, true, keyUsage(CA_KEY_USAGE)),
    extension(OID.basicConstraints, true, sequence(boolean(true))),
    extension(OID.subjectKeyIdentifier, false, octetString(ownKeyId)),
  ];
  const above = request.issuer?.certificate.subjectKeyId;
  if (above !== undefined) {
    extensions.push(extension(OID.authorityKeyIdentifier, false, sequence(contextPrimitive(0, above))));
  }
  return signCertificate(request.issuer?.privateKey ?? request.privateKey, {
    issuer: request.issuer?.certificate.subject ?? subject,
    subject,
    publicKey,
    notBeforeMs: request.notBeforeMs,
    notAfterMs: request.notAfterMs,
    extensions,
  });
}

interface CertificateFields {
  readonly issuer: DerNode;
  readonly subject: DerNode;
  readonly publicKey: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly DerNode[];
}

function signCertificate(signingKey: KeyObject, fields: CertificateFields): Buffer {
  const algorithm = algorithmForKey(signingKey);
  if (algorithm === undefined) {
    throw new AmbitError<SigningErrorCode>(
      'UNSUPPORTED_CA_KEY',
      `a ${signingKey.asymmetricKeyType ?? 'secret'} key cannot sign certificates here: use RSA, P-256, P-384 or P-521`,
    );
  }
  const spki = decodeDer(fields.publicKey.export({ type: 'spki', format: 'der' }));
  const toBeSigned = sequence(
    contextConstructed(0, positiveInteger(Buffer.of(2))),
    positiveInteger(serialNumber()),
    algorithmIdentifier(algorithm),
    fields.issuer,
    sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
    fields.subject,
    spki ?? sequence(),
    contextConstructed(3, sequence(...fields.extensions)),
  );
  return signedSequence(toBeSigned, algorithm, signingKey);
}

/** 128 random bits; the leading bits are never all zero, so the length is the same for all. */
function serialNumber(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0] ?? 0) | 0x01;
  return serial;
}

function extension(id: string, critical: boolean, value: DerNode): DerNode {
  const wrapped = octetString(encodeDer(value));
  return critical ? sequence(oid(id), boolean(true), wrapped) : sequence(oid(id), wrapped);
}

function keyUsage(usage: { readonly bits: number; readonly unused: number }): DerNode {
  return bitString(Buffer.of(usage.bits), usage.unused);
}

function alternativeNames(request: LeafRequest): DerNode[] {
  const uris = (request.uris ?? []).map((uri) => contextPrimitive(6, Buffer.from(uri, 'latin1')));
  return [...uris, ...(request.dnsNames ?? []).map(hostName)];
}

function hostName(name: string): DerNode {
  const address = parseIpAddress(name);
  return address === undefined
    ? contextPrimitive(2, Buffer.from(name, 'latin1'))
    : contextPrimitive(7, ipToBytes(address));
}

function distinguishedName(request: CaRequest): DerNode {
  const attribute = (id: string, text: string) => set(sequence(oid(id), utf8String(text)));
  const names = [attribute(OID.organization, request.organization)];
  if (request.commonName !== undefined) names.push(attribute(OID.commonName, request.commonName));
  return sequence(...names);
}

function publicKeyBits(publicKey: KeyObject): Buffer {
  const spki = decodeDer(publicKey.export({ type: 'spki', format: 'der' }));
  return bitStringBytes(childrenOf(spki)[1]) ?? Buffer.alloc(0);
}

/** Whether the certificate was signed by the issuer's key and names it. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
