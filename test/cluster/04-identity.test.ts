import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { apply, kubectl, kubectlJson, nodeExec, nodeNames, podsReady, until } from '../helpers/cluster.ts';
import {
  accountObject,
  deleteNamespace,
  namespaceObject,
  podObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'identity';
/** Addresses are used again from the second round on; ten make two hundred pods. */
const ROUNDS = Number(process.env['IDENTITY_ROUNDS'] ?? 10);
const PODS_PER_ROUND = 20;

/** Lets only one account in. */
function onlyFor(server: string, account: string): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: server, namespace: NS },
    spec: {
      selector: { matchLabels: { app: server } },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [`cluster.local/ns/${NS}/sa/${account}`] } }] }],
    },
  };
}

interface Pods {
  readonly items: { metadata: { name: string }; status: { phase: string; podIP?: string } }[];
}

/** Makes the address plugin start from its first free address again, so that addresses are used over and over. */
async function forgetLastAddress(node: string): Promise<void> {
  await nodeExec(node, ['sh', '-c', 'rm -f /var/lib/cni/networks/*/last_reserved_ip.*']);
}

describe('identities of pods that come and go', () => {
  before(async () => {
    const [first = ''] = await nodeNames();
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient' }),
      ...['red', 'blue', 'server'].map((account) => accountObject(NS, account)),
      programsObject(NS),
      onlyFor('only-red', 'red'),
      onlyFor('only-blue', 'blue'),
      ...serverObjects(NS, 'only-red', { node: first, account: 'server' }),
      ...serverObjects(NS, 'only-blue', { node: first, account: 'server' }),
    );
    await podsReady(NS);
  });
  after(() => deleteNamespace(NS));

  it(`belong to the pod that owns the address, through ${ROUNDS * PODS_PER_ROUND} pods that share a few`, async () => {
    const nodes = await nodeNames();
    const node = nodes[1] ?? '';
    const owners = new Map<string, Set<string>>();
    for (let round = 0; round < ROUNDS; round++) {
      await forgetLastAddress(node);
      const pods = Array.from({ length: PODS_PER_ROUND }, (_, index) => {
        // The account at an address changes from round to round.
        const [own, other] = (index + round) % 2 === 0 ? ['red', 'blue'] : ['blue', 'red'];
        const command = ['python3', '/programs/identity.py', `only-${own}`, `only-${other}`];
        const spec = { restartPolicy: 'Never' };
        const labels = { round: String(round) };
        return podObject(NS, `${own}-${round}-${index}`, command, { node, account: own ?? '', labels, spec });
      });
      await apply(...pods);
      const ended = await until(`round ${round}`, () => allEnded(round), 90_000);
      for (const { metadata, status } of ended.items) {
        assert.equal(
          status.phase,
          'Succeeded',
          `${metadata.name}: ${await kubectl(['logs', '-n', NS, metadata.name])}`,
        );
        const address = status.podIP ?? '';
        const accounts = owners.get(address) ?? new Set();
        owners.set(address, accounts.add(metadata.name.split('-')[0] ?? ''));
      }
      await kubectl(['delete', 'pods', '-n', NS, '-l', `round=${round}`, '--now', '--wait=true']);
    }
    const shared = [...owners.values()].filter((accounts) => accounts.size > 1).length;
    assert.ok(shared > 5, `${shared} addresses were used by both accounts`);
  });
});

async function allEnded(round: number): Promise<Pods | undefined> {
  const pods = await kubectlJson<Pods>(['get', 'pods', '-n', NS, '-l', `round=${round}`]);
  const done = pods.items.every(({ status }) => status.phase === 'Succeeded' || status.phase === 'Failed');
  return done && pods.items.length === PODS_PER_ROUND ? pods : undefined;
}
