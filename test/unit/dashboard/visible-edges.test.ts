import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Viewer } from '../../../src/dashboard/viewer.ts';
import { isVisible } from '../../../src/dashboard/visible-edges.ts';
import type { Edge } from '../../../src/traffic/edges.ts';

const viewer: Viewer = { mayRead: (namespace) => namespace === 'mine' };

function edge(from: string, to: string, service = to): Edge {
  const peer = (namespace: string) => ({ namespace, workload: 'w', canonicalService: '', revision: '', principal: '' });
  return {
    key: '',
    reporter: 'source',
    source: peer(from),
    destination: peer(to),
    service: { namespace: service, name: 's', hostname: '' },
    protocol: 'tcp',
    mutualTls: true,
  };
}

describe('what a viewer sees of the traffic', () => {
  it('is what begins or ends in a namespace that the viewer may read', () => {
    assert.ok(isVisible(viewer, edge('mine', 'theirs')));
    assert.ok(isVisible(viewer, edge('theirs', 'mine')));
    assert.ok(isVisible(viewer, edge('theirs', '', 'mine')), 'a request that no endpoint took');
    assert.equal(isVisible(viewer, edge('theirs', 'theirs')), false);
  });

  it('is nothing of peers that nobody knows, to who may read nothing', () => {
    const greedy: Viewer = { mayRead: (namespace) => namespace === '' };
    assert.equal(isVisible(greedy, edge('', '')), false);
  });
});
