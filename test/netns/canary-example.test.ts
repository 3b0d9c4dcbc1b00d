/** examples/canary does what its README says, as it is written. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const EXAMPLE = new URL('../../examples/canary/', import.meta.url).pathname;

describe('the canary example', { timeout: 100_000 }, () => {
  const mesh = new LocalMesh();
  const curl = async (...args: readonly string[]) =>
    (await mesh.exec('reader', '-n', 'canary', '--', 'curl', '-s', ...args)).stdout;

  before(async () => {
    cpSync(EXAMPLE, mesh.manifests, { recursive: true, filter: (path) => !path.endsWith('.md') });
    await mesh.up(4);
    await eventually('an answer', async () => (await curl('http://reviews/reviews/1')).startsWith('reviews'));
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('gives a tenth of the requests to version 2, and all those of testers', async () => {
    const answers = (await curl('http://reviews/reviews/[1-1000]')).trim().split('\n');
    const canaries = answers.filter((answer) => answer === 'reviews v2').length;
    assert.equal(answers.filter((answer) => answer === 'reviews v1').length + canaries, 1000);
    // Five standard deviations of a binomial distribution.
    assert.ok(Math.abs(canaries - 100) < 48, String(canaries));
    assert.equal(await curl('-H', 'x-user: tester', 'http://reviews/reviews/[1-20]'), 'reviews v2\n'.repeat(20));
  });

  it('lets the reader read, and nothing else', async () => {
    assert.equal(await curl('-X', 'POST', 'http://reviews/reviews/1'), 'RBAC: access denied');
    assert.equal(await curl('http://reviews/other'), 'RBAC: access denied');
  });
});
