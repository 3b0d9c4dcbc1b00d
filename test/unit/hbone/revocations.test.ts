import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { FakeCertificateSource } from '../../../src/hbone/fake-certificate-source.ts';
import { Revocations } from '../../../src/hbone/revocations.ts';
import { type SpiffeId, spiffeId } from '../../../src/model/spiffe.ts';

const IDENTITY: SpiffeId = spiffeId({ trustDomain: 'td', namespace: 'ns', serviceAccount: 'a' });

function untracked(revocations: Revocations): Record<string, number> {
  const found = revocations.families().find(({ name }) => name === 'istio_crl_untracked_connections');
  return Object.fromEntries(found?.samples.map(({ labels, value }) => [labels, value]) ?? []);
}

describe('tunnels whose certificate cannot be read', () => {
  it('are counted by side, let be, and never closed by a list', async () => {
    const revocations = new Revocations();
    const { chainPem } = await new FakeCertificateSource(60_000, systemClock).fetch(IDENTITY);
    const good = new X509Certificate(chainPem[0] ?? '');
    const bad = { raw: Buffer.from('3000', 'hex') } as unknown as X509Certificate;
    const closed: string[] = [];
    const { keys } = revocations.watch(good, 'source', () => closed.push('good'));
    revocations.watch(bad, 'destination', () => closed.push('bad'));
    assert.deepEqual(untracked(revocations), { 'reporter="destination"': 1 });
    revocations.replace(keys);
    revocations.closeRevoked();
    assert.deepEqual(closed, ['good']);
  });
});
