import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeConditions } from '../../../src/control/merge-conditions.ts';

const NOW = '2026-02-02T00:00:00Z';
const BEFORE = '2026-01-01T00:00:00Z';
const WANTED = { status: 'True', reason: 'Accepted', message: 'attached' } as const;
const OWN = { type: 'Own', ...WANTED, observedGeneration: 3, lastTransitionTime: BEFORE };
const OTHER = { type: 'Other', status: 'False', reason: 'R', message: 'm', extra: 1 };

describe('mergeConditions', () => {
  it('writes nothing when the condition is there as it should be', () => {
    assert.equal(
      mergeConditions({ conditions: [OTHER, OWN], generation: 3 }, new Map([['Own', WANTED]]), NOW),
      undefined,
    );
    assert.equal(
      mergeConditions({ conditions: [OTHER], generation: 3 }, new Map([['Own', undefined]]), NOW),
      undefined,
    );
  });

  it('keeps conditions of others whole, and the time while only the generation is new', () => {
    const merged = mergeConditions({ conditions: [OTHER, OWN], generation: 4 }, new Map([['Own', WANTED]]), NOW);
    assert.deepEqual(merged, [OTHER, { ...OWN, observedGeneration: 4 }]);
  });

  it('notes the time when the status changes', () => {
    const wanted = { ...WANTED, status: 'False' } as const;
    const merged = mergeConditions({ conditions: [OWN], generation: 3 }, new Map([['Own', wanted]]), NOW);
    assert.deepEqual(merged, [{ ...OWN, status: 'False', lastTransitionTime: NOW }]);
  });

  it('takes a condition away that no longer applies', () => {
    const merged = mergeConditions({ conditions: [OTHER, OWN], generation: 3 }, new Map([['Own', undefined]]), NOW);
    assert.deepEqual(merged, [OTHER]);
  });
});
