import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PlacedPod, pickNode } from '../../../src/local/pick-node.ts';

const NODES = ['a', 'b', 'c'];

describe('pickNode', () => {
  it('keeps a pinned pod where it is pinned, and has no place for one pinned elsewhere', () => {
    assert.equal(pickNode(NODES, [], 'g', 'b'), 'b');
    assert.equal(pickNode(NODES, [], 'g', 'z'), undefined);
  });

  it('spreads the replicas of a group evenly, whatever else runs', () => {
    const placed: PlacedPod[] = [
      { node: 'a', group: 'other' },
      { node: 'a', group: 'other' },
      { node: 'b', group: 'other' },
    ];
    for (let count = 0; count < 6; count++) {
      placed.push({ node: pickNode(NODES, placed, 'g', '') ?? '', group: 'g' });
    }
    const perNode = NODES.map((node) => placed.filter((pod) => pod.group === 'g' && pod.node === node).length);
    assert.deepEqual(perNode, [2, 2, 2]);
    assert.equal(placed[3]?.node, 'c', 'the emptiest node comes first');
  });
});
