/**
 * The files of a certificate authority in Istio's `cacerts` layout (facts l7-and-control 9.8), read and validated as
 * one unit: `ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, and `cert-chain.pem` when an intermediate signs.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AmbitError, errorText } from '../base/errors.ts';
import { isIssuedBy } from './certificate-signing.ts';
import { type ParsedCertificate, parseCertificate } from './parsed-certificate.ts';
import { parsePem } from './pem.ts';
import { algorithmForKey } from './signature-algorithm.ts';

export type CaFilesErrorCode =
  | 'CA_FILE_UNREADABLE'
  | 'CA_FILE_MALFORMED'
  | 'CA_KEY_MISMATCH'
  | 'CA_NOT_A_CA'
  | 'CA_EXPIRED'
  | 'CA_CHAIN_BROKEN';

export const CA_FILE = {
  certificate: 'ca-cert.pem',
  key: 'ca-key.pem',
  chain: 'cert-chain.pem',
  root: 'root-cert.pem',
} as const;

/** A usable authority. */
export interface CaMaterial {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
  /** From the issuing certificate upward, roots left out; empty when a root signs. */
  readonly intermediates: readonly ParsedCertificate[];
  /** Every root that is to be trusted; during a rotation more than one. */
  readonly roots: readonly ParsedCertificate[];
}

const MAX_CHAIN_LENGTH = 8;

/** The text of each file; the chain may be empty. */
export interface CaTexts {
  readonly certificate: string;
  readonly key: string;
  readonly chain: string;
  readonly root: string;
}

/** Reads and checks the files of a directory. Rejects with an AmbitError that names the file and the reason. */
export async function loadCaFiles(directory: string, nowMs: number): Promise<CaMaterial> {
  const [certificate, root, chain, key] = await Promise.all([
    readText(directory, CA_FILE.certificate),
    readText(directory, CA_FILE.root),
    readText(directory, CA_FILE.chain, true),
    readText(directory, CA_FILE.key),
  ]);
  return parseCaTexts({ certificate, key, chain, root }, nowMs);
}

/** Checks the parts of an authority, wherever they came from. @throws AmbitError that names the file and the reason */
export function parseCaTexts(texts: CaTexts, nowMs: number): CaMaterial {
  const certificates = readCertificates(texts.certificate, CA_FILE.certificate);
  const roots = readCertificates(texts.root, CA_FILE.root);
  const chain = readCertificates(texts.chain, CA_FILE.chain);
  const privateKey = readKey(texts.key);
  const [certificate] = certificates;
  if (certificate === undefined) throw malformed(CA_FILE.certificate, 'it holds no certificate');
  if (roots.length === 0) throw malformed(CA_FILE.root, 'it holds no certificate');
  checkIssuing(certificate, privateKey, nowMs);
  const liveRoots = roots.filter((root) => root.notAfterMs > nowMs);
  const candidates = [...certificates.slice(1), ...chain];
  const intermediates = intermediatesToRoot(certificate, candidates, liveRoots, nowMs);
  return { certificate, privateKey, intermediates, roots: liveRoots };
}

function checkIssuing(certificate: ParsedCertificate, privateKey: KeyObject, nowMs: number): void {
  if (!certificate.x509.checkPrivateKey(privateKey)) {
    throw failure(
      'CA_KEY_MISMATCH',
      `${CA_FILE.key} is not the key of the first certificate in ${CA_FILE.certificate}`,
    );
  }
  if (algorithmForKey(privateKey) === undefined) {
    throw malformed(CA_FILE.key, `${privateKey.asymmetricKeyType} keys are not supported; use RSA, P-256 or P-384`);
  }
  if (!certificate.x509.ca) {
    throw failure(
      'CA_NOT_A_CA',
      `${CA_FILE.certificate} is not a CA certificate (basic constraints CA:TRUE is missing)`,
    );
  }
  if (certificate.notAfterMs <= nowMs) {
    throw failure('CA_EXPIRED', `${CA_FILE.certificate} expired at ${new Date(certificate.notAfterMs).toISOString()}`);
  }
}

function intermediatesToRoot(
  issuing: ParsedCertificate,
  candidates: readonly ParsedCertificate[],
  roots: readonly ParsedCertificate[],
  nowMs: number,
): ParsedCertificate[] {
  const path: ParsedCertificate[] = [];
  let current = issuing;
  while (path.length < MAX_CHAIN_LENGTH) {
    if (roots.some((root) => root.der.equals(current.der))) return path;
    path.push(current);
    const below = current;
    if (roots.some((root) => isIssuedBy(below.x509, root.x509))) return path;
    const above = candidates.find(
      (candidate) =>
        candidate.x509.ca &&
        isIssuedBy(below.x509, candidate.x509) &&
        !path.some((seen) => seen.der.equals(candidate.der)),
    );
    if (above === undefined) break;
    if (above.notAfterMs <= nowMs) throw failure('CA_EXPIRED', `a certificate in ${CA_FILE.chain} has expired`);
    current = above;
  }
  throw failure(
    'CA_CHAIN_BROKEN',
    `no path from ${CA_FILE.certificate} through ${CA_FILE.chain} to an unexpired certificate in ${CA_FILE.root}: ` +
      `add the intermediates to ${CA_FILE.chain}, or the right root to ${CA_FILE.root}`,
  );
}

function readCertificates(text: string, file: string): ParsedCertificate[] {
  return parsePem(text)
    .filter((block) => block.label === 'CERTIFICATE')
    .map((block, index) => {
      const certificate = parseCertificate(block.der);
      if (certificate === undefined) throw malformed(file, `certificate ${index + 1} cannot be read`);
      return certificate;
    });
}

function readKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw malformed(CA_FILE.key, `it is not an unencrypted PEM private key (${errorText(error)})`);
  }
}

async function readText(directory: string, file: string, optional = false): Promise<string> {
  try {
    return await readFile(join(directory, file), 'utf8');
  } catch (error) {
    if (optional && error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw failure('CA_FILE_UNREADABLE', `${file} of the certificate authority cannot be read: ${errorText(error)}`);
  }
}

function malformed(file: string, reason: string): AmbitError<CaFilesErrorCode> {
  return failure('CA_FILE_MALFORMED', `${file}: ${reason}`);
}

function failure(code: CaFilesErrorCode, message: string): AmbitError<CaFilesErrorCode> {
  return new AmbitError(code, message);
}
