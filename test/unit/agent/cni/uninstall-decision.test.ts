import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideDeparture, UninstallSigns } from '../../../../src/agent/cni/uninstall-decision.ts';
import { fail, ok } from '../../../../src/base/result.ts';
import type { KubeClient } from '../../../../src/kube/kube-client.ts';
import { KubeError } from '../../../../src/kube/kube-error.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';

const LIVES: KubeObject = { metadata: { name: 'agent' } };
const ENDS: KubeObject = { metadata: { name: 'agent', deletionTimestamp: '2026-01-01T00:00:00Z' } };
const SYSTEM: KubeObject = { metadata: { name: 'istio-system' } };
const SYSTEM_ENDS: KubeObject = { metadata: { ...SYSTEM.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };

type Answer = KubeObject | number;

/** Statuses are refusals; 0 is no answer. */
function leaves(daemonSet: Answer, namespace: Answer, signs = new UninstallSigns('istio-system')) {
  const answer = (value: Answer) =>
    typeof value === 'number' ? fail(new KubeError('KUBE_REFUSED', 'no', { status: value })) : ok(value);
  const get: KubeClient['get'] = async (kind) => answer(kind.plural === 'daemonsets' ? daemonSet : namespace);
  return decideDeparture({ get }, 'istio-system', 'agent', signs);
}

describe('an agent that is told to stop', () => {
  it('stays at a rollout, and while the API server is away or refuses it', async () => {
    for (const [daemonSet, namespace] of [
      [LIVES, SYSTEM],
      [0, 0],
      [500, 500],
      [403, 403],
      [401, 401],
      [403, SYSTEM],
    ] as const) {
      assert.equal((await leaves(daemonSet, namespace)).leaves, false);
    }
  });

  it('leaves with its DaemonSet or its namespace', async () => {
    for (const [daemonSet, namespace] of [
      [404, SYSTEM],
      [ENDS, SYSTEM],
      [LIVES, SYSTEM_ENDS],
      [403, SYSTEM_ENDS],
      [403, 404],
    ] as const) {
      assert.equal((await leaves(daemonSet, namespace)).leaves, true);
    }
  });

  it('leaves without rights, or without an answer, when it had seen the deletion', async () => {
    const deleted = new UninstallSigns('istio-system');
    deleted.daemonSetHandler.replace([LIVES]);
    deleted.daemonSetHandler.remove(LIVES);
    const ending = new UninstallSigns('istio-system');
    ending.onNamespace(SYSTEM_ENDS);
    for (const signs of [deleted, ending]) {
      for (const status of [401, 403, 0]) {
        assert.deepEqual(await leaves(status, status, signs), { leaves: true, canWrite: false });
      }
    }
  });

  it('stays when the DaemonSet was made again, and when another namespace ends', async () => {
    const signs = new UninstallSigns('istio-system');
    signs.daemonSetHandler.replace([LIVES]);
    signs.daemonSetHandler.replace([]);
    assert.equal(signs.wereSeen, true);
    signs.daemonSetHandler.upsert(LIVES);
    signs.onNamespace({ metadata: { ...SYSTEM_ENDS.metadata, name: 'shop' } });
    assert.equal(signs.wereSeen, false);
    assert.equal((await leaves(403, 403, signs)).leaves, false);
  });

  it('takes an empty first list for no sign', () => {
    const signs = new UninstallSigns('istio-system');
    signs.daemonSetHandler.replace([]);
    assert.equal(signs.wereSeen, false);
  });
});
