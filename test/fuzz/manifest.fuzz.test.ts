import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../src/model/manifest/manifest-problem.ts';
import { parseManifest } from '../../src/model/manifest/parse-manifest.ts';
import { authorizationPolicy, document, peerAuthentication, pod, service } from '../helpers/manifests.ts';

const budgetMs = Number(process.env['FUZZ_MS'] ?? 2000);
const good = [
  document(pod({ name: 'a', ip: '10.0.0.1', ports: [{ name: 'x', containerPort: 1 }] })),
  document(service('b', { clusterIP: '10.96.0.1' })),
  document(
    authorizationPolicy('c', {
      action: 'DENY',
      rules: [{ from: [{ source: { ipBlocks: ['10.0.0.0/8'] } }], when: [{ key: 'source.ip', values: ['::1'] }] }],
    }),
  ),
  document(
    peerAuthentication('d', { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { '80': { mode: 'STRICT' } } }),
  ),
].join('');
const splice = fc.record({
  at: fc.nat(good.length),
  cut: fc.nat(12),
  put: fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('[', '{', '- ', '\n', '---\n', '&a ', '*a', '!!binary ', '? ', 'null', '0', '"', '\0'),
  ),
});

test('parseManifest survives any damage to a manifest', () => {
  fc.assert(
    fc.property(fc.array(splice, { maxLength: 6 }), (splices) => {
      let text = good;
      for (const { at, cut, put } of splices) text = text.slice(0, at) + put + text.slice(at + cut);
      const parsed = parseManifest(text, 'f');
      for (const problem of parsed.problems) assert.match(formatProblem(problem), /^f:\d+:\d+: /);
    }),
    { interruptAfterTimeLimit: budgetMs, numRuns: Number.MAX_SAFE_INTEGER, markInterruptAsFailure: false },
  );
});
