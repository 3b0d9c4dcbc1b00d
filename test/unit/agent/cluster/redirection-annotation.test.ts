import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodePod } from '../../../../src/agent/cluster/node-pod.ts';
import { RedirectionAnnotations } from '../../../../src/agent/cluster/redirection-annotation.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { fail, ok, type Result } from '../../../../src/base/result.ts';
import { KubeError } from '../../../../src/kube/kube-error.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const KEY = 'ambient.istio.io/redirection';
const pod = (value?: string): NodePod => ({
  uid: 'u1',
  name: 'a',
  namespace: 'shop',
  serviceAccount: 'sa',
  labels: {},
  annotations: value === undefined ? {} : { [KEY]: value },
  hostNetwork: false,
  isTerminal: false,
  ips: [],
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const clock = new ManualClock();
  const patches: unknown[] = [];
  const answers: Result<KubeObject, KubeError>[] = [];
  const annotations = new RedirectionAnnotations({
    clock,
    log: silentLogger,
    client: {
      patch: async (_kind, namespace, name, { body, subresource }) => {
        patches.push({ path: `${namespace}/${name}/${subresource}`, body });
        await settle();
        return answers.shift() ?? ok({ metadata: { name } });
      },
    },
  });
  const values = () =>
    patches.map((patch) => (patch as { body: KubeObject }).body.metadata.annotations?.[KEY] as string | null);
  return { clock, patches, answers, annotations, values };
}
const refused = (status: number) => fail(new KubeError('KUBE_REFUSED', 'no', { status }));

describe('RedirectionAnnotations', () => {
  it('patches the status of the pod with that uid, and removes with null', async () => {
    const { annotations, patches } = setUp();
    annotations.set(pod(), 'enabled');
    for (let turn = 0; turn < 3; turn++) await settle();
    annotations.set(pod('enabled'), undefined);
    const body = (value: string | null) => ({ metadata: { uid: 'u1', annotations: { [KEY]: value } } });
    assert.deepEqual(patches, [
      { path: 'shop/a/status', body: body('enabled') },
      { path: 'shop/a/status', body: body(null) },
    ]);
  });

  it('writes nothing that is there, and does not replace enabled by pending', async () => {
    const { annotations, patches } = setUp();
    annotations.set(pod('enabled'), 'enabled');
    annotations.set(pod('enabled'), 'pending');
    annotations.set(pod(), undefined);
    await settle();
    assert.deepEqual(patches, []);
  });

  it('has one patch under way; the last wish wins', async () => {
    const { annotations, values } = setUp();
    annotations.set(pod(), 'pending');
    annotations.set(pod(), undefined);
    annotations.set(pod(), 'enabled');
    for (let turn = 0; turn < 6; turn++) await settle();
    assert.deepEqual(values(), ['pending', 'enabled']);
  });

  it('tries again until it works, and gives up when the pod is gone', async () => {
    const { annotations, values, answers, clock } = setUp();
    answers.push(refused(403), refused(500), refused(409));
    annotations.set(pod(), 'enabled');
    for (const delayMs of [200, 400]) {
      for (let turn = 0; turn < 3; turn++) await settle();
      assert.deepEqual(clock.waitingMs, [delayMs]);
      clock.advance(delayMs);
    }
    for (let turn = 0; turn < 3; turn++) await settle();
    assert.deepEqual(values(), ['enabled', 'enabled', 'enabled']);
    assert.deepEqual(clock.waitingMs, []);
    answers.push(refused(500));
    annotations.set(pod(), 'enabled');
    for (let turn = 0; turn < 3; turn++) await settle();
    annotations.forget('u1');
    clock.advance(10_000);
    await settle();
    assert.equal(values().length, 4);
  });
});
