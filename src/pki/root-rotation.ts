/**
 * The rotation of an own root as a change of texts, for places where all parts are written at once (a Secret). The steps
 * are those of `own-root.ts`: announce, activate; roots that have expired are dropped.
 */
import { CA_FILE, parseCaTexts } from './ca-files.ts';
import { CLOCK_SKEW_MS } from './certificate-signing.ts';
import { GRACE_SHARE, NEXT_ROOT, newRoot, type OwnRootOptions } from './own-root.ts';
import { parseCertificate } from './parsed-certificate.ts';
import { parsePem, splitCertificates } from './pem.ts';

/** Texts by file name, as in the `cacerts` layout. */
export type RootTexts = Readonly<Record<string, string>>;

export type RootOptions = Omit<OwnRootOptions, 'directory'>;

export interface RotationStep {
  readonly step: 'none' | 'announced' | 'activated' | 'expired-dropped';
  /** All texts as they are after the step. */
  readonly texts: RootTexts;
}

/** A new root, complete. */
export function createRootTexts(options: RootOptions, nowMs: number): RootTexts {
  const { certificatePem, keyPem } = newRoot(options, nowMs);
  return {
    [CA_FILE.certificate]: certificatePem,
    [CA_FILE.key]: keyPem,
    [CA_FILE.chain]: certificatePem,
    [CA_FILE.root]: certificatePem,
  };
}

/**
 * The next due step of a rotation.
 * @param overlapMs how long the announced root is distributed before it signs; at least one leaf lifetime
 * @throws AmbitError when the texts are no usable authority
 */
export function rotateRoot(texts: RootTexts, options: RootOptions, overlapMs: number, nowMs: number): RotationStep {
  const announcedMs = announcedAtMs(texts);
  if (announcedMs !== undefined) {
    return nowMs - announcedMs < overlapMs ? { step: 'none', texts } : { step: 'activated', texts: activate(texts) };
  }
  const { certificate } = parseCaTexts(rootParts(texts), nowMs);
  const lifetimeMs = certificate.notAfterMs - certificate.notBeforeMs;
  if (certificate.notAfterMs - nowMs < lifetimeMs * GRACE_SHARE) {
    return { step: 'announced', texts: announce(texts, options, nowMs) };
  }
  const live = splitCertificates(bundleOf(texts)).filter((pem) => (endMs(pem) ?? 0) > nowMs);
  const dropped = live.length > 0 && live.length < splitCertificates(bundleOf(texts)).length;
  return dropped
    ? { step: 'expired-dropped', texts: { ...texts, [CA_FILE.root]: live.join('') } }
    : { step: 'none', texts };
}

/** The parts of an own root; Istio leaves the bundle of its self-signed root empty. */
export function rootParts(texts: RootTexts): { certificate: string; key: string; chain: string; root: string } {
  return {
    certificate: texts[CA_FILE.certificate] ?? '',
    key: texts[CA_FILE.key] ?? '',
    chain: texts[CA_FILE.chain] ?? '',
    root: bundleOf(texts),
  };
}

function bundleOf(texts: RootTexts): string {
  return texts[CA_FILE.root] || texts[CA_FILE.certificate] || '';
}

function announce(texts: RootTexts, options: RootOptions, nowMs: number): RootTexts {
  const { certificatePem, keyPem } = newRoot(options, nowMs);
  return {
    ...texts,
    [NEXT_ROOT.certificate]: certificatePem,
    [NEXT_ROOT.key]: keyPem,
    [CA_FILE.root]: bundleOf(texts) + certificatePem,
  };
}

function activate(texts: RootTexts): RootTexts {
  const { [NEXT_ROOT.certificate]: certificate = '', [NEXT_ROOT.key]: key = '', ...rest } = texts;
  return { ...rest, [CA_FILE.certificate]: certificate, [CA_FILE.key]: key, [CA_FILE.chain]: certificate };
}

function announcedAtMs(texts: RootTexts): number | undefined {
  if (!texts[NEXT_ROOT.key]) return undefined;
  const certificate = certificateOf(texts[NEXT_ROOT.certificate] ?? '');
  return certificate === undefined ? undefined : certificate.notBeforeMs + CLOCK_SKEW_MS;
}

function endMs(pem: string): number | undefined {
  return certificateOf(pem)?.notAfterMs;
}

function certificateOf(pem: string): ReturnType<typeof parseCertificate> {
  const [block] = parsePem(pem);
  return block && parseCertificate(block.der);
}
