import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RemarkChanges } from '../../../src/local/remark-changes.ts';

const status = (...accepted: { readonly object: string; readonly note?: string }[]) =>
  JSON.stringify({ time: '', accepted, refused: [], ignored: [] });
const REMARKED = { object: 'HTTPRoute/demo/r', note: 'has no parent' };
const LINE = 'HTTPRoute demo/r: has no parent';

describe('remarks on objects', () => {
  it('are told once, and again when they come back', () => {
    const changes = new RemarkChanges();
    assert.deepEqual(changes.look(status({ object: 'Namespace//demo' }, REMARKED)), [LINE]);
    assert.deepEqual(changes.look(status(REMARKED)), []);
    assert.deepEqual(changes.look(status({ object: REMARKED.object })), []);
    assert.deepEqual(changes.look(status(REMARKED)), [LINE]);
  });

  it('are told when their text is another', () => {
    const changes = new RemarkChanges();
    changes.look(status(REMARKED));
    assert.deepEqual(changes.look(status({ ...REMARKED, note: 'is late' })), ['HTTPRoute demo/r: is late']);
  });

  it('of objects of no namespace have none in the line', () => {
    assert.deepEqual(new RemarkChanges().look(status({ object: 'Node//a', note: 'x' })), ['Node a: x']);
  });

  it('stay as they were while the file makes no sense', () => {
    const changes = new RemarkChanges();
    changes.look(status(REMARKED));
    assert.deepEqual(changes.look('{'), []);
    assert.deepEqual(changes.look('{"accepted": 3}'), []);
    assert.deepEqual(changes.look(status(REMARKED)), []);
  });
});
