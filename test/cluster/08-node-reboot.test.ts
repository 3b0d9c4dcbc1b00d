import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  apply,
  captureOnNode,
  kubectl,
  kubectlJson,
  nodeNames,
  podsReady,
  rebootNode,
  until,
} from '../helpers/cluster.ts';
import {
  accountObject,
  assertNoneFailed,
  deleteNamespace,
  loadCounts,
  loadGoesOn,
  loadObject,
  namespaceObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'reboot';
const MARKERS = ['plaintext-of-a-new-connection', 'plaintext-of-a-kept-connection'];
const REDIRECTION = 'ambient.istio.io/redirection';

interface PodStatus {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly status: { readonly podIP?: string; readonly containerStatuses?: readonly { restartCount: number }[] };
}

const podOf = (name: string) => kubectlJson<PodStatus>(['get', 'pod', '-n', NS, name]);
const restartsOf = ({ status }: PodStatus) => status.containerStatuses?.[0]?.restartCount ?? 0;

describe('after the reboot of a node', () => {
  let first = '';
  let second = '';
  before(async () => {
    [first = '', second = ''] = await nodeNames();
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient' }),
      accountObject(NS, 'client'),
      programsObject(NS),
      ...serverObjects(NS, 'steady', { node: first }),
      ...serverObjects(NS, 'rebooted', { node: second }),
    );
    await podsReady(NS);
    await apply(
      loadObject(NS, 'caller', 'rebooted', { node: first, account: 'client' }),
      loadObject(NS, 'starter', 'steady', { node: second, account: 'client' }),
    );
    await podsReady(NS);
    for (const name of ['caller', 'starter']) await until('load', async () => (await loadCounts(NS, name)).ok > 100);
  });
  after(() => deleteNamespace(NS));

  it('its pods are in the mesh again before they say a word, and nobody has to help', async () => {
    await using capture = await captureOnNode(first, MARKERS);
    await rebootNode(second);
    // A pod that calls as soon as it runs: everything of it is in the capture.
    const started = await until(
      'the caller of the rebooted node to run again',
      async () => {
        const pod = await podOf('starter');
        return restartsOf(pod) > 0 && pod;
      },
      240_000,
    );
    await until('its answers', async () => (await loadCounts(NS, 'starter')).ok > 100, 120_000);
    const back = await until(
      'the server of the rebooted node',
      async () => {
        const pod = await podOf('rebooted');
        return restartsOf(pod) > 0 && pod;
      },
      120_000,
    );
    const recovered = await loadGoesOn(NS, 'caller', await loadCounts(NS, 'caller'), 200);
    assert.equal(await capture.stop(), 0, 'the capture has all packets');
    assert.deepEqual(
      MARKERS.filter((marker) => capture.saw(marker)),
      [],
    );
    for (const pod of [started, back]) assert.equal(pod.metadata.annotations?.[REDIRECTION], 'enabled');
    assertNoneFailed(await loadGoesOn(NS, 'caller', recovered, 400), recovered);
  });

  it('the agents and tunnels of all nodes are ready', async () => {
    for (const name of ['daemonset/ambit-agent', 'daemonset/ztunnel', 'deployment/ambit-control']) {
      await kubectl(['rollout', 'status', name, '-n', 'istio-system', '--timeout=120s']);
    }
  });
});
