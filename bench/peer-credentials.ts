/** A certificate for all proxies of a peer in a bench, of an authority of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { FakeCertificateSource } from '../src/hbone/fake-certificate-source.ts';
import type { SpiffeId } from '../src/model/spiffe.ts';

/** Writes them into the folder. @returns the PEM files: authority; certificate with its key */
export async function peerCredentials(folder: string): Promise<{ ca: string; leaf: string }> {
  const source = new FakeCertificateSource(86_400_000, systemClock);
  const certificate = await source.fetch('spiffe://cluster.local/ns/bench/sa/peer' as SpiffeId);
  const [ca, leaf] = [join(folder, 'ca.pem'), join(folder, 'leaf.pem')];
  writeFileSync(ca, certificate.rootsPem.join(''));
  writeFileSync(leaf, certificate.chainPem.join('') + certificate.keyPem, { mode: 0o600 });
  return { ca, leaf };
}
