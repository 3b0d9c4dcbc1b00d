import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  apply,
  captureOnNode,
  kubectl,
  kubectlJson,
  nodeNames,
  podExec,
  podsReady,
  until,
} from '../helpers/cluster.ts';
import {
  accountObject,
  assertNoneFailed,
  deleteNamespace,
  type LoadCounts,
  loadCounts,
  loadGoesOn,
  loadObject,
  namespaceObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'enrolment';
const AGAIN = 'enrolment-again';
const MARKER = 'plaintext-of-a-new-connection';
const EXAMPLE = new URL('../../examples/shop/', import.meta.url).pathname;

interface Pods {
  readonly items: { metadata: { name: string; annotations?: Record<string, string> }; status: { podIP: string } }[];
}

function redirection(pods: Pods): (string | undefined)[] {
  return pods.items.map(({ metadata }) => metadata.annotations?.['ambient.istio.io/redirection']);
}

function podsOf(namespace: string): Promise<Pods> {
  return kubectlJson<Pods>(['get', 'pods', '-n', namespace]);
}

describe('the label on a namespace with running pods', () => {
  let nodes: readonly string[] = [];
  let atStart: LoadCounts;

  before(async () => {
    nodes = await nodeNames();
    await apply(
      namespaceObject(NS),
      accountObject(NS, 'client'),
      accountObject(NS, 'server'),
      programsObject(NS),
      ...serverObjects(NS, 'server', { node: nodes[1] ?? '', account: 'server' }),
    );
    await podsReady(NS);
    await apply(loadObject(NS, 'client', 'server', { node: nodes[0] ?? '', account: 'client' }));
    await podsReady(NS);
    atStart = await until('load', async () => {
      const counts = await loadCounts(NS, 'client');
      return counts.ok > 100 ? counts : undefined;
    });
  });
  after(() => deleteNamespace(NS));

  it('finds plaintext on the wire before', async () => {
    await using capture = await captureOnNode(nodes[0] ?? '', [MARKER]);
    await until('plaintext', async () => capture.saw(MARKER));
  });

  it('turns it into mutual TLS with no restart and no failed new connection', async () => {
    await kubectl(['label', 'namespace', NS, 'istio.io/dataplane-mode=ambient']);
    await until('redirection', async () => redirection(await podsOf(NS)).every((state) => state === 'enabled'));
    const after = await loadGoesOn(NS, 'client', await loadCounts(NS, 'client'), 400);
    assertNoneFailed(after, atStart);
    assert.equal(after.cut - atStart.cut, 0, after.errors.join('\n'));
    await using tunnels = await captureOnNode(nodes[0] ?? '', [MARKER], 'tcp port 15008');
    await using plain = await captureOnNode(nodes[0] ?? '', [MARKER]);
    await until('tunnels on the wire', async () => tunnels.bytes > 10_000);
    await loadGoesOn(NS, 'client', after, 400);
    assert.equal(plain.saw(MARKER), false);
  });

  it('gives the server the address of the client, as without a mesh', async () => {
    const answer = await podExec(NS, 'client', ['curl', '-s', 'http://server']);
    const [client] = (await podsOf(NS)).items.filter(({ metadata }) => metadata.name === 'client');
    assert.ok(answer.includes(client?.status.podIP ?? '?'), answer);
  });

  it('goes back to plaintext without the label, with no failed new connection', async () => {
    const before = await loadCounts(NS, 'client');
    await kubectl(['label', 'namespace', NS, 'istio.io/dataplane-mode-']);
    await until('no redirection', async () => redirection(await podsOf(NS)).every((state) => state === undefined));
    const after = await loadGoesOn(NS, 'client', before, 400);
    assertNoneFailed(after, before);
    await using capture = await captureOnNode(nodes[0] ?? '', [MARKER]);
    await until('plaintext', async () => capture.saw(MARKER));
  });
});

describe('the label taken off and put back under load', () => {
  const setLabel = (text: string) =>
    kubectl(['label', 'namespace', AGAIN, '--overwrite', `istio.io/dataplane-mode${text}`]);
  const states = async () => redirection(await podsOf(AGAIN));
  const joined = () => until('redirection', async () => (await states()).every((state) => state === 'enabled'));
  const left = () => until('no redirection', async () => (await states()).every((state) => state === undefined));

  before(async () => {
    const [first = '', second = ''] = await nodeNames();
    await apply(
      namespaceObject(AGAIN, { 'istio.io/dataplane-mode': 'ambient' }),
      accountObject(AGAIN, 'client'),
      accountObject(AGAIN, 'server'),
      programsObject(AGAIN),
      ...serverObjects(AGAIN, 'server', { node: second, account: 'server' }),
    );
    await podsReady(AGAIN);
    await apply(loadObject(AGAIN, 'client', 'server', { node: first, account: 'client', workers: 16 }));
    await podsReady(AGAIN);
    await joined();
    await until('load', async () => (await loadCounts(AGAIN, 'client')).ok > 400);
  });
  after(() => deleteNamespace(AGAIN));

  it('fails no connection inside the time in which open ones may end', async () => {
    const before = await loadCounts(AGAIN, 'client');
    for (let round = 0; round < 3; round++) {
      await setLabel('-');
      await left();
      await setLabel('=ambient');
      await joined();
    }
    const after = await loadGoesOn(AGAIN, 'client', await loadCounts(AGAIN, 'client'), 2000);
    assertNoneFailed(after, before);
    assert.equal(after.cut - before.cut, 0, after.errors.join('\n'));
  });

  it('fails no new connection after the pods have left for good', async () => {
    const before = await loadCounts(AGAIN, 'client');
    await setLabel('-');
    await left();
    // The drain of 30 s, after which the rules go.
    await delay(35_000);
    await setLabel('=ambient');
    await joined();
    const after = await loadGoesOn(AGAIN, 'client', await loadCounts(AGAIN, 'client'), 3000);
    assertNoneFailed(after, before);
  });
});

describe('the example', () => {
  after(() => kubectl(['delete', '-f', EXAMPLE, '--wait=false']));

  it('runs from the folder that ambit up takes, and joins the mesh as a whole', async () => {
    await kubectl(['apply', '-f', `${EXAMPLE}namespaces.yaml`]);
    await kubectl(['apply', '-f', EXAMPLE]);
    for (const namespace of ['shop', 'payments', 'outside']) await podsReady(namespace);
    await kubectl(['label', 'namespace', 'shop', 'payments', 'istio.io/dataplane-mode=ambient']);
    for (const namespace of ['shop', 'payments']) {
      await until(namespace, async () => redirection(await podsOf(namespace)).every((state) => state === 'enabled'));
    }
    const shopper = await until('answers', async () => {
      const log = await kubectl(['logs', '-n', 'shop', 'deploy/shopper', '--tail=20']);
      return log.includes('200') || log.includes('ok') ? log : undefined;
    });
    assert.ok(shopper.length > 0);
  });
});
