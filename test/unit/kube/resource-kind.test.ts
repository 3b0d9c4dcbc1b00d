import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apiVersionOf, LEASES, NODES, PODS, resourcePath } from '../../../src/kube/resource-kind.ts';

describe('resourcePath', () => {
  it('tells core kinds from groups, and cluster-scoped ones from namespaced ones', () => {
    assert.equal(resourcePath(PODS, 'demo', 'web'), '/api/v1/namespaces/demo/pods/web');
    assert.equal(resourcePath(PODS, ''), '/api/v1/pods');
    assert.equal(resourcePath(NODES, 'ignored', 'n1', 'status'), '/api/v1/nodes/n1/status');
    assert.equal(resourcePath(LEASES, 'a', 'b'), '/apis/coordination.k8s.io/v1/namespaces/a/leases/b');
    assert.equal(apiVersionOf(LEASES), 'coordination.k8s.io/v1');
    assert.equal(apiVersionOf(PODS), 'v1');
  });

  it('keeps names from leaving their place in the path', () => {
    assert.equal(resourcePath(PODS, 'a/b', '../x?y'), '/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy');
  });
});
