import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CA_FILE, parseCaTexts } from '../../../src/pki/ca-files.ts';
import { splitCertificates } from '../../../src/pki/pem.ts';
import { createRootTexts, rootParts, rotateRoot } from '../../../src/pki/root-rotation.ts';

const DAY_MS = 86_400_000;
const OPTIONS = { organization: 'cluster.local', keyType: 'ec', lifetimeMs: 100 * DAY_MS } as const;
const START_MS = Date.UTC(2026, 0, 1);

const rootsOf = (texts: Readonly<Record<string, string>>) => splitCertificates(rootParts(texts).root);

describe('rotateRoot', () => {
  it('does nothing while most of the life is left', () => {
    const texts = createRootTexts(OPTIONS, START_MS);
    assert.equal(rotateRoot(texts, OPTIONS, 2 * DAY_MS, START_MS + 50 * DAY_MS).step, 'none');
  });

  it('announces, waits for the overlap, activates, and drops what has expired', () => {
    const first = createRootTexts(OPTIONS, START_MS);
    const nowMs = START_MS + 90 * DAY_MS;
    const announced = rotateRoot(first, OPTIONS, 2 * DAY_MS, nowMs);
    assert.equal(announced.step, 'announced');
    assert.equal(rootsOf(announced.texts).length, 2);
    assert.equal(announced.texts[CA_FILE.key], first[CA_FILE.key], 'the old root still signs');
    parseCaTexts(rootParts(announced.texts), nowMs);

    assert.equal(rotateRoot(announced.texts, OPTIONS, 2 * DAY_MS, nowMs + DAY_MS).step, 'none');
    const activated = rotateRoot(announced.texts, OPTIONS, 2 * DAY_MS, nowMs + 3 * DAY_MS);
    assert.equal(activated.step, 'activated');
    assert.notEqual(activated.texts[CA_FILE.key], first[CA_FILE.key]);
    assert.equal(rootsOf(activated.texts).length, 2, 'peers with old leafs are still trusted');
    parseCaTexts(rootParts(activated.texts), nowMs + 3 * DAY_MS);

    const later = START_MS + 120 * DAY_MS;
    const dropped = rotateRoot(activated.texts, OPTIONS, 2 * DAY_MS, later);
    assert.equal(dropped.step, 'expired-dropped');
    assert.equal(rootsOf(dropped.texts).length, 1);
    assert.equal(rotateRoot(dropped.texts, OPTIONS, 2 * DAY_MS, later).step, 'none');
  });

  it("reads Istio's self-signed Secret, whose bundle is empty", () => {
    const texts = { ...createRootTexts(OPTIONS, START_MS), [CA_FILE.root]: '', [CA_FILE.chain]: '' };
    const material = parseCaTexts(rootParts(texts), START_MS + DAY_MS);
    assert.equal(material.roots.length, 1);
    assert.equal(rotateRoot(texts, OPTIONS, DAY_MS, START_MS + DAY_MS).step, 'none');
  });
});
