import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { apply, kubectl, kubectlJson, nodeExec, nodeNames, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  deleteNamespace,
  namespaceObject,
  podObject,
  programsObject,
  serverObjects,
} from '../helpers/cluster-objects.ts';

const NS = 'bad-input';

function policy(spec: object): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'policy', namespace: NS },
    spec,
  };
}

/** What kubectl says to objects that are refused. */
async function refusal(...objects: object[]): Promise<string> {
  try {
    await apply(...objects);
  } catch (error) {
    return String(error);
  }
  return assert.fail('it was accepted');
}

function controlLog(): Promise<string> {
  return kubectl(['logs', '-n', 'istio-system', '-l', 'app=istiod', '--tail=-1']);
}

/** Runs the plugin of a node as its container runtime would. */
function runPlugin(node: string, environment: string, config: object): Promise<string> {
  const command = `printf '%s' '${JSON.stringify(config)}' | env ${environment} /opt/cni/bin/ambit-cni; echo "status=$?"`;
  return nodeExec(node, ['sh', '-c', command]);
}

describe('bad input on a cluster', () => {
  before(async () => {
    await apply(
      namespaceObject(NS, { 'istio.io/dataplane-mode': 'ambient' }),
      programsObject(NS),
      ...serverObjects(NS, 'server'),
      podObject(NS, 'client', ['sleep', 'infinity'], { node: (await nodeNames())[0] ?? '' }),
    );
    await podsReady(NS);
  });
  after(() => deleteNamespace(NS));

  it('a policy with several mistakes is refused with every one of them named', async () => {
    const text = await refusal(
      policy({
        action: 'ALLOW',
        rules: [{ from: [{ source: { ipBlocks: ['300.1.1.1/99'] } }], to: [{ operation: { ports: ['99999'] } }] }],
      }),
    );
    assert.match(text, /denied the request/);
    assert.match(text, /300\.1\.1\.1/);
    assert.match(text, /99999/);
  });

  it('a field that no policy has is refused', async () => {
    assert.match(await refusal(policy({ action: 'ALLOW', ruels: [] })), /unknown field "spec\.ruels"/);
  });

  it('traffic and the policy in force are as before', async () => {
    const deny = policy({ action: 'DENY', rules: [{ to: [{ operation: { ports: ['8080'] } }] }] });
    await apply(deny);
    await until('the policy', async () => (await ask()) === 'refused');
    await refusal(policy({ action: 'DENY', rules: [{ to: [{ operation: { ports: ['none'] } }] }] }));
    assert.equal(await ask(), 'refused');
    await kubectl(['delete', 'authorizationpolicy', '-n', NS, 'policy']);
    await until('no policy', async () => (await ask()) === 'answered');
  });

  it('the conditions of a policy say whether ztunnel takes it', async () => {
    await apply(policy({ action: 'ALLOW', rules: [{ to: [{ operation: { methods: ['GET'] } }] }] }));
    const condition = await until('the condition', async () => {
      const { status } = await kubectlJson<{ status?: { conditions?: { type: string; reason: string }[] } }>([
        'get',
        'authorizationpolicy',
        '-n',
        NS,
        'policy',
      ]);
      return status?.conditions?.find(({ type }) => type === 'ZtunnelAccepted');
    });
    assert.equal(condition.reason, 'UnsupportedValue');
    await kubectl(['delete', 'authorizationpolicy', '-n', NS, 'policy']);
  });

  it('a Secret with a broken certificate is reported, and the root in use stays', async () => {
    const root = () =>
      kubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', NS, '-o', 'jsonpath={.data.root-cert\\.pem}']);
    const before = await root();
    const broken = Buffer.from('-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n').toString('base64');
    const keys = ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem'];
    await apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cacerts', namespace: 'istio-system' },
      data: Object.fromEntries(keys.map((key) => [key, broken])),
    });
    await until('the report', async () => /cacerts/.test(await controlLog()));
    assert.equal(await root(), before);
    assert.equal(await ask(), 'answered');
    await kubectl(['delete', 'secret', 'cacerts', '-n', 'istio-system']);
  });

  it('a CNI request with a namespace that is gone gets a CNI error that says so', async () => {
    const [node = ''] = await nodeNames();
    const file = (await nodeExec(node, ['sh', '-c', 'ls /etc/cni/net.d/*.conflist | head -n 1'])).trim();
    const { plugins, cniVersion } = JSON.parse(await nodeExec(node, ['cat', file])) as {
      cniVersion: string;
      plugins: { type: string }[];
    };
    const plugin = plugins.find(({ type }) => type === 'ambit-cni') ?? assert.fail('the plugin is not there');
    const prevResult = { cniVersion, interfaces: [], ips: [{ address: '10.244.1.250/24' }] };
    const output = await runPlugin(
      node,
      `CNI_COMMAND=ADD CNI_CONTAINERID=x CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin CNI_NETNS=/var/run/netns/gone 'CNI_ARGS=K8S_POD_NAME=client;K8S_POD_NAMESPACE=${NS}'`,
      { cniVersion, name: 'test', ...plugin, prevResult },
    );
    assert.match(output, /status=1/);
    const error = JSON.parse(output.slice(0, output.indexOf('status='))) as { code: number; msg: string };
    assert.ok(error.code > 0);
    assert.match(output, /gone|netns|namespace/);
  });

  it('a pod of an enrolled namespace does not start while the agent is away, and its event says why', async () => {
    const nodes = await nodeNames();
    const node = nodes[0] ?? '';
    await placeAgents('nowhere');
    try {
      await until('no agent', async () => {
        const pods = await kubectl([
          'get',
          'pods',
          '-n',
          'istio-system',
          '-l',
          'app.kubernetes.io/name=ambit-agent',
          '-o',
          'name',
        ]);
        return pods.trim() === '';
      });
      await apply(
        podObject(NS, 'waits', ['sleep', 'infinity'], { node }),
        podObject('default', 'starts', ['true'], {
          node,
          spec: { restartPolicy: 'Never', volumes: [] },
          container: { volumeMounts: [] },
        }),
      );
      await until('a pod outside the mesh to run', async () => {
        const phase = await kubectl(['get', 'pod', 'starts', '-n', 'default', '-o', 'jsonpath={.status.phase}']);
        return phase === 'Succeeded';
      });
      const events = await until('the event', async () => {
        const text = await kubectl(['get', 'events', '-n', NS, '--field-selector', 'involvedObject.name=waits']);
        return text.includes('ambit-cni') ? text : undefined;
      });
      assert.match(events, /FailedCreatePodSandBox/);
    } finally {
      await placeAgents('linux');
      await kubectl(['delete', 'pod', 'starts', '-n', 'default', '--now']);
    }
    await kubectl(['rollout', 'status', 'daemonset/ambit-agent', '-n', 'istio-system', '--timeout=90s']);
    await podsReady(NS);
  });
});

/** Moves the agents to the nodes with this operating system. */
async function placeAgents(os: string): Promise<void> {
  const patch = { spec: { template: { spec: { nodeSelector: { 'kubernetes.io/os': os } } } } };
  const agent = ['daemonset', 'ambit-agent', '-n', 'istio-system'];
  await kubectl(['patch', ...agent, '--type=merge', '-p', JSON.stringify(patch)]);
}

async function ask(): Promise<'answered' | 'refused'> {
  try {
    await podExec(NS, 'client', ['curl', '-sS', '-m', '5', '-o', '/dev/null', 'http://server']);
    return 'answered';
  } catch {
    return 'refused';
  }
}
