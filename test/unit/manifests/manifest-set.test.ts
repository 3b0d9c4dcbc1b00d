import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManifestSet } from '../../../src/manifests/manifest-set.ts';
import { keyOf } from '../../../src/model/manifest/manifest-object.ts';
import { formatProblem } from '../../../src/model/manifest/manifest-problem.ts';
import { document, pod } from '../../helpers/manifests.ts';

const one = (name: string, node = 'n') => document(pod({ name, node }));
const upserted = (delta: ReturnType<ManifestSet['setFile']>) => delta.upserts.map(keyOf);
const inForce = (set: ManifestSet) => set.accepted().map((entry) => `${entry.key}${entry.stale ? ' stale' : ''}`);

describe('ManifestSet', () => {
  test('reports only objects whose content changed', () => {
    const set = new ManifestSet();
    assert.deepEqual(upserted(set.setFile('f', one('a') + one('b'))), ['Pod/demo/a', 'Pod/demo/b']);
    assert.deepEqual(upserted(set.setFile('f', `# comment\n${one('a')}${one('b', 'other')}`)), ['Pod/demo/b']);
    assert.deepEqual(set.setFile('f', one('a')).removedKeys, ['Pod/demo/b']);
    assert.deepEqual(set.removeFile('f').removedKeys, ['Pod/demo/a']);
  });

  test('keeps the last good version of a named object that is broken, and lets the others change', () => {
    const set = new ManifestSet();
    set.setFile('f', one('a') + one('b') + one('c'));
    const broken = document({ ...pod({ name: 'a' }), spec: 3 });
    const delta = set.setFile('f', broken + one('b', 'other'));
    assert.deepEqual([upserted(delta), delta.removedKeys], [['Pod/demo/b'], ['Pod/demo/c']]);
    assert.deepEqual(inForce(set).sort(), ['Pod/demo/a stale', 'Pod/demo/b']);
  });

  test('keeps everything a file had while something in it cannot even be named', () => {
    const set = new ManifestSet();
    set.setFile('f', one('a') + one('b'));
    assert.deepEqual(set.setFile('f', `${one('a', 'x')}---\nkind: [`).removedKeys, []);
    assert.deepEqual(inForce(set).sort(), ['Pod/demo/a', 'Pod/demo/b stale']);
    assert.deepEqual(set.setFile('f', one('a')).removedKeys, ['Pod/demo/b']);
    assert.deepEqual(set.problems(), []);
  });

  test('does not bring back what was broken from the start', () => {
    const set = new ManifestSet();
    set.setFile('f', document({ ...pod({ name: 'a' }), spec: 3 }));
    assert.deepEqual(inForce(set), []);
    assert.equal(set.problems().length, 1);
  });

  test('lets the first of several definitions win and reports the others with both places', () => {
    const set = new ManifestSet();
    set.setFile('b.yaml', one('x', 'from-b'));
    const delta = set.setFile('a.yaml', one('x', 'from-a') + one('x', 'again'));
    assert.deepEqual(
      delta.upserts.map((object) => object.kind === 'Pod' && object.spec.nodeName),
      ['from-a'],
    );
    assert.deepEqual(set.problems().map(formatProblem), [
      'a.yaml:4:1: Pod demo/x: is defined a second time; the definition at a.yaml:2:1 is in force',
      'b.yaml:2:1: Pod demo/x: is defined a second time; the definition at a.yaml:2:1 is in force',
    ]);
    const back = set.removeFile('a.yaml');
    assert.deepEqual(
      back.upserts.map((object) => object.kind === 'Pod' && object.spec.nodeName),
      ['from-b'],
    );
    assert.deepEqual([back.removedKeys, set.problems()], [[], []]);
  });

  test('prefers files of a lower rank before it compares names', () => {
    const set = new ManifestSet((file) => (file.startsWith('z/') ? 0 : 1));
    set.setFile('a/1', one('x', 'second'));
    assert.equal(set.setFile('z/1', one('x', 'first')).upserts.length, 1);
  });

  test('keeps the objects of a file that cannot be read for now', () => {
    const set = new ManifestSet();
    set.setFile('f', one('a'));
    assert.deepEqual(set.setUnreadable('f', 'EACCES').removedKeys, []);
    assert.deepEqual([inForce(set), set.problems().length], [['Pod/demo/a stale'], 1]);
  });

  test('withholds removals, and nothing else, while a file may still be written', () => {
    const set = new ManifestSet();
    set.setFile('f', one('a') + one('b'));
    const delta = set.setFile('f', one('a', 'new'), false);
    assert.deepEqual([upserted(delta), delta.removedKeys, delta.withheld], [['Pod/demo/a'], [], true]);
    assert.deepEqual(set.setFile('f', one('a', 'new')).removedKeys, ['Pod/demo/b']);
    assert.equal(set.setFile('f', one('a', 'new') + one('c'), false).withheld, false);
  });
});
