import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PlacedPod, pickNode } from '../../../src/local/pick-node.ts';

const NAMES = ['a', 'b', 'c'];
const NODES = NAMES.map((name) => ({ name, labels: new Map([['zone', name === 'a' ? 'one' : 'two']]) }));
const ANYWHERE = { nodeName: '', nodeSelector: new Map<string, string>() };
const pinned = (nodeName: string) => ({ ...ANYWHERE, nodeName });
const selected = (zone: string) => ({ ...ANYWHERE, nodeSelector: new Map([['zone', zone]]) });

describe('pickNode', () => {
  it('keeps a pinned pod where it is pinned, and has no place for one pinned elsewhere', () => {
    assert.equal(pickNode(NODES, [], 'g', pinned('b')), 'b');
    assert.equal(pickNode(NODES, [], 'g', pinned('z')), undefined);
  });

  it('takes a node with the labels that are asked for, and none where no node has them', () => {
    const placed: PlacedPod[] = [{ node: 'b', group: 'g' }];
    assert.equal(pickNode(NODES, placed, 'g', selected('two')), 'c');
    assert.equal(pickNode(NODES, placed, 'g', selected('three')), undefined);
  });

  it('spreads the replicas of a group evenly, whatever else runs', () => {
    const placed: PlacedPod[] = [
      { node: 'a', group: 'other' },
      { node: 'a', group: 'other' },
      { node: 'b', group: 'other' },
    ];
    for (let count = 0; count < 6; count++) {
      placed.push({ node: pickNode(NODES, placed, 'g', ANYWHERE) ?? '', group: 'g' });
    }
    const perNode = NAMES.map((node) => placed.filter((pod) => pod.group === 'g' && pod.node === node).length);
    assert.deepEqual(perNode, [2, 2, 2]);
    assert.equal(placed[3]?.node, 'c', 'the emptiest node comes first');
  });
});
