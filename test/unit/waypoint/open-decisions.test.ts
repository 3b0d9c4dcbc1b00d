import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OpenDecisions } from '../../../src/waypoint/open-decisions.ts';

describe('what policy let through', () => {
  it('is asked again when policies change, once for changes that come together, until it is over', async () => {
    const open = new OpenDecisions();
    const asked: string[] = [];
    const end = open.add(() => asked.push('first'));
    open.add(() => asked.push('second'));
    open.policiesChanged();
    open.policiesChanged();
    await nextTurn();
    assert.deepEqual(asked, ['first', 'second']);
    end();
    open.policiesChanged();
    await nextTurn();
    assert.deepEqual(asked, ['first', 'second', 'second']);
  });

  it('may end while it is asked', async () => {
    const open = new OpenDecisions();
    let ends = 0;
    const end = open.add(() => {
      ends += 1;
      end();
    });
    for (let change = 0; change < 2; change++) {
      open.policiesChanged();
      await nextTurn();
    }
    assert.equal(ends, 1);
  });
});
