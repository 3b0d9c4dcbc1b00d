/**
 * A root that ambit creates and keeps itself, in the `cacerts` layout, and its rotation with overlap:
 * 1. announce: a next root is made and added to the bundle; the old one still signs.
 * 2. activate: the next root signs; the bundle keeps both, so peers with old leafs and peers with new ones get along.
 * 3. retire: the bundle keeps the signing root only.
 * Trust travels with each leaf (facts ztunnel-wire 10.2), so a step must wait until every leaf was renewed once.
 *
 * Invariants:
 * - The private key is never readable by others: directory 0700, key file 0600, written under a temporary name.
 * - The order of writes leaves a directory that loads at every moment, or one that is refused as a whole.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { access, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CA_FILE, loadCaFiles } from './ca-files.ts';
import { CLOCK_SKEW_MS, issueCaCertificate } from './certificate-signing.ts';
import { parseCertificate } from './parsed-certificate.ts';
import { formatPem, parsePem, splitCertificates } from './pem.ts';

export interface OwnRootOptions {
  readonly directory: string;
  /** Organization of the subject; Istio writes the trust domain. */
  readonly organization: string;
  /** Default P-256: a tenth of the cost of RSA-2048 per signature, and smaller handshakes. */
  readonly keyType?: 'ec' | 'rsa';
  /** Default 10 years. */
  readonly lifetimeMs?: number;
}

export const DEFAULT_ROOT_LIFETIME_MS = 10 * 365 * 86_400_000;
/** A root is replaced when less than this share of its life is left (facts l7-and-control 9.8). */
export const GRACE_SHARE = 0.2;
/** The announced root, beside the one that signs. */
export const NEXT_ROOT = { certificate: 'next-ca-cert.pem', key: 'next-ca-key.pem' } as const;
const RSA_BITS = 2048;

/** Creates the root unless the directory has one. @returns whether it was created */
export async function ensureOwnRoot(options: OwnRootOptions, nowMs: number): Promise<boolean> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  if (await exists(join(options.directory, CA_FILE.certificate))) return false;
  await chmod(options.directory, 0o700);
  const { certificatePem, keyPem } = newRoot(options, nowMs);
  await writeAtomically(join(options.directory, CA_FILE.key), keyPem, 0o600);
  await writeAtomically(join(options.directory, CA_FILE.root), certificatePem, 0o644);
  await writeAtomically(join(options.directory, CA_FILE.chain), certificatePem, 0o644);
  await writeAtomically(join(options.directory, CA_FILE.certificate), certificatePem, 0o644);
  return true;
}

/** Rotation, step 1: makes the next root and has it trusted. */
export async function announceNextRoot(options: OwnRootOptions, nowMs: number): Promise<void> {
  const { directory } = options;
  const { certificatePem, keyPem } = newRoot(options, nowMs);
  await writeAtomically(join(directory, NEXT_ROOT.key), keyPem, 0o600);
  await writeAtomically(join(directory, NEXT_ROOT.certificate), certificatePem, 0o644);
  const bundle = await readFile(join(directory, CA_FILE.root), 'utf8');
  await writeAtomically(join(directory, CA_FILE.root), bundle + certificatePem, 0o644);
}

/** Rotation, step 2: the announced root signs from now on. */
export async function activateNextRoot(directory: string): Promise<void> {
  const certificatePem = await readFile(join(directory, NEXT_ROOT.certificate), 'utf8');
  await rename(join(directory, NEXT_ROOT.key), join(directory, CA_FILE.key));
  await rename(join(directory, NEXT_ROOT.certificate), join(directory, CA_FILE.certificate));
  await writeAtomically(join(directory, CA_FILE.chain), certificatePem, 0o644);
}

/** Rotation, step 3: only the signing root stays trusted. */
export async function retireOldRoots(directory: string): Promise<void> {
  const signing = await readFile(join(directory, CA_FILE.certificate), 'utf8');
  await writeAtomically(join(directory, CA_FILE.root), signing, 0o644);
}

/**
 * Does the next due step of a rotation, if any. Old roots are retired when they have expired.
 * @param overlapMs how long the announced root is distributed before it signs; at least one leaf lifetime
 * @returns the step that was done
 */
export async function maintainOwnRoot(
  options: OwnRootOptions,
  overlapMs: number,
  nowMs: number,
): Promise<'none' | 'announced' | 'activated'> {
  const { directory } = options;
  await dropExpiredRoots(directory, nowMs);
  const announcedMs = await announcedAtMs(directory);
  if (announcedMs !== undefined) {
    if (nowMs - announcedMs < overlapMs) return 'none';
    await activateNextRoot(directory);
    return 'activated';
  }
  const { certificate } = await loadCaFiles(directory, nowMs);
  const lifetimeMs = certificate.notAfterMs - certificate.notBeforeMs;
  if (certificate.notAfterMs - nowMs >= lifetimeMs * GRACE_SHARE) return 'none';
  await announceNextRoot(options, nowMs);
  return 'announced';
}

async function announcedAtMs(directory: string): Promise<number | undefined> {
  const path = join(directory, NEXT_ROOT.certificate);
  if (!(await exists(path))) return undefined;
  const [block] = parsePem(await readFile(path, 'utf8'));
  const certificate = block && parseCertificate(block.der);
  if (certificate === undefined) {
    // Half of an announcement is worth nothing: it is made again.
    await rm(path, { force: true });
    return undefined;
  }
  return certificate.notBeforeMs + CLOCK_SKEW_MS;
}

async function dropExpiredRoots(directory: string, nowMs: number): Promise<void> {
  const path = join(directory, CA_FILE.root);
  const all = splitCertificates(await readFile(path, 'utf8'));
  const live = all.filter((pem) => {
    const [block] = parsePem(pem);
    const certificate = block && parseCertificate(block.der);
    return certificate !== undefined && certificate.notAfterMs > nowMs;
  });
  if (live.length > 0 && live.length < all.length) await writeAtomically(path, live.join(''), 0o644);
}

/** Makes a key and a root certificate for it. */
export function newRoot(
  options: Omit<OwnRootOptions, 'directory'>,
  nowMs: number,
): { certificatePem: string; keyPem: string } {
  const privateKey = newKey(options.keyType ?? 'ec');
  const der = issueCaCertificate({
    privateKey,
    organization: options.organization,
    notBeforeMs: nowMs - CLOCK_SKEW_MS,
    notAfterMs: nowMs + (options.lifetimeMs ?? DEFAULT_ROOT_LIFETIME_MS),
  });
  return {
    certificatePem: formatPem('CERTIFICATE', der),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function newKey(keyType: 'ec' | 'rsa'): KeyObject {
  return keyType === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey;
}

async function writeAtomically(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  await writeFile(temporary, text, { mode, flag: 'wx' });
  await rename(temporary, path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Whatever hides the file, reading it afterwards gives the error that is reported.
    return false;
  }
}
