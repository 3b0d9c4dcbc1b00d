import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MESH_CONTROLLER, mergeParents } from '../../../src/control/route-parent-status.ts';

const NOW = '2026-02-02T00:00:00Z';
const BEFORE = '2026-01-01T00:00:00Z';
const parentRef = { group: '', kind: 'Service', name: 'web' };
const ACCEPTED = { status: 'True', reason: 'Accepted', message: 'Route was valid' } as const;
const WANTED = { parentRef, conditions: new Map([['Accepted', ACCEPTED]]) };
const OWN = {
  parentRef,
  controllerName: MESH_CONTROLLER,
  conditions: [{ type: 'Accepted', ...ACCEPTED, observedGeneration: 3, lastTransitionTime: BEFORE }],
};
const FOREIGN = { parentRef: { name: 'gate' }, controllerName: 'other.org/gateway', conditions: [], extra: 1 };

describe('mergeParents', () => {
  it('writes nothing when all is there as it should be, in whatever order', () => {
    assert.equal(mergeParents({ parents: [OWN, FOREIGN], generation: 3 }, [WANTED], NOW), undefined);
    assert.equal(mergeParents({ parents: [FOREIGN], generation: 3 }, [], NOW), undefined);
  });

  it('adds an entry, and keeps those of other controllers whole', () => {
    const own = { ...OWN, conditions: [{ ...OWN.conditions[0], lastTransitionTime: NOW }] };
    assert.deepEqual(mergeParents({ parents: [FOREIGN], generation: 3 }, [WANTED], NOW), [FOREIGN, own]);
  });

  it('notes a new generation', () => {
    const own = { ...OWN, conditions: [{ ...OWN.conditions[0], observedGeneration: 4 }] };
    assert.deepEqual(mergeParents({ parents: [OWN], generation: 4 }, [WANTED], NOW), [own]);
  });

  it('takes its entry away when the reference goes, and tells references to ports apart', () => {
    assert.deepEqual(mergeParents({ parents: [OWN, FOREIGN], generation: 3 }, [], NOW), [FOREIGN]);
    const toPort = { ...WANTED, parentRef: { ...parentRef, port: 80 } };
    const merged = mergeParents({ parents: [OWN], generation: 3 }, [toPort], NOW) as (typeof OWN)[];
    assert.deepEqual(
      merged.map((entry) => entry.parentRef),
      [toPort.parentRef],
    );
  });
});
