import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { waitForPodsGone, waitForRollout } from '../../../src/install/rollout.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { DAEMON_SETS, DEPLOYMENTS, PODS } from '../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

const NS = 'istio-system';
const LABELS = { 'app.kubernetes.io/part-of': 'ambit', 'app.kubernetes.io/name': 'ztunnel' };

describe('waiting for a rollout', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let lines: string[] = [];
  const deps = () => ({ client, clock: systemClock, report: (line: string) => void lines.push(line) });

  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  function put(ready: number): void {
    const generation = 1;
    api.put(DEPLOYMENTS, {
      metadata: { name: 'control', namespace: NS, labels: LABELS },
      spec: { replicas: 2 },
      status: { observedGeneration: 99, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    });
    api.put(DAEMON_SETS, {
      metadata: { name: 'ztunnel', namespace: NS, labels: LABELS, generation },
      spec: {},
      status: {
        observedGeneration: 99,
        desiredNumberScheduled: 2,
        updatedNumberScheduled: 2,
        numberAvailable: ready,
      },
    });
  }

  it('ends when the newest version runs everywhere, and tells of progress in between', async () => {
    put(1);
    const done = waitForRollout(NS, 10_000, deps());
    setTimeout(() => put(2), 300);
    await done;
    assert.deepEqual(lines, [
      'waiting: deployment.apps/control 2/2, daemonset.apps/ztunnel 1/2',
      'waiting: deployment.apps/control 2/2, daemonset.apps/ztunnel 2/2',
    ]);
  });

  it('says what pods wait for when the time is over', async () => {
    put(0);
    lines = [];
    const waiting = { reason: 'ErrImagePull', message: 'no such image' };
    api.put(PODS, {
      metadata: { name: 'ztunnel-x', namespace: NS, labels: LABELS },
      status: { containerStatuses: [{ state: { waiting }, lastState: { terminated: { message: 'bad flag\n' } } }] },
    });
    await assert.rejects(waitForRollout(NS, 0, deps()), {
      code: 'ROLLOUT_INCOMPLETE',
      message: /daemonset\.apps\/ztunnel 0\/2; pod ztunnel-x: ErrImagePull no such image; it ended with: bad flag/,
    });
  });

  it('names the pods that do not go away', async () => {
    await assert.rejects(waitForPodsGone(NS, 'ztunnel', 0, deps()), { code: 'PODS_REMAIN', message: /ztunnel-x/ });
    api.remove(PODS, NS, 'ztunnel-x');
    await waitForPodsGone(NS, 'ztunnel', 0, deps());
  });
});
