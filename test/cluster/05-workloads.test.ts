import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { apply, kubectl, kubectlJson, nodeExec, nodeNames, podExec, podsReady, until } from '../helpers/cluster.ts';
import {
  deleteNamespace,
  namespaceObject,
  podObject,
  podSpec,
  programsObject,
  serverObjects,
  serviceObject,
} from '../helpers/cluster-objects.ts';

const STRICT_NS = 'workloads-strict';
const NS = 'workloads';
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const SERVER = ['python3', '/programs/server.py', '8080'];
const SLEEP = ['sleep', 'infinity'];

function strict(namespace: string): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace },
    spec: { mtls: { mode: 'STRICT' } },
  };
}

async function podIp(namespace: string, name: string): Promise<string> {
  return kubectl(['get', 'pod', '-n', namespace, name, '-o', 'jsonpath={.status.podIP}']);
}

/** The body that a program in a pod gets; the error's text when it gets none. */
async function fetchFrom(namespace: string, pod: string, url: string): Promise<string> {
  try {
    return await podExec(namespace, pod, ['curl', '-sS', '-m', '5', url]);
  } catch (error) {
    return String(error);
  }
}

describe('kubelet probes under STRICT', () => {
  before(async () => {
    await apply(namespaceObject(STRICT_NS, AMBIENT), strict(STRICT_NS), programsObject(STRICT_NS));
  });
  after(() => deleteNamespace(STRICT_NS));

  const probes: Record<string, { probe: object; command: string[] }> = {
    http: { probe: { httpGet: { path: '/', port: 8080 } }, command: SERVER },
    tcp: { probe: { tcpSocket: { port: 8080 } }, command: SERVER },
    grpc: { probe: { grpc: { port: 8080 } }, command: ['node', '/programs/health.mjs', '8080'] },
    exec: { probe: { exec: { command: ['curl', '-sf', 'http://127.0.0.1:8080'] } }, command: SERVER },
  };
  for (const [name, { probe, command }] of Object.entries(probes)) {
    it(`of the kind ${name} pass`, async () => {
      const container = {
        startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 30 },
        readinessProbe: { ...probe, periodSeconds: 1 },
        livenessProbe: { ...probe, periodSeconds: 1, failureThreshold: 2 },
      };
      await apply(podObject(STRICT_NS, `probe-${name}`, command, { container }));
      await kubectl(['wait', '-n', STRICT_NS, `pod/probe-${name}`, '--for=condition=Ready', '--timeout=60s']);
      const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
      assert.equal(await kubectl(['get', 'pod', '-n', STRICT_NS, `probe-${name}`, '-o', restarts]), '0');
    });
  }

  it('are no door for pods: a pod outside the mesh is refused', async () => {
    await apply(namespaceObject(NS), programsObject(NS), podObject(NS, 'outsider', SLEEP));
    await podsReady(NS);
    const text = await fetchFrom(NS, 'outsider', `http://${await podIp(STRICT_NS, 'probe-http')}:8080`);
    assert.doesNotMatch(text, /"pod"/);
    await kubectl(['delete', 'pod', '-n', NS, 'outsider', '--now']);
  });
});

describe('workloads of every shape', () => {
  let nodes: readonly string[] = [];
  before(async () => {
    nodes = await nodeNames();
    await apply(
      namespaceObject(NS, AMBIENT),
      programsObject(NS),
      ...serverObjects(NS, 'server', { node: nodes[0] ?? '' }),
      podObject(NS, 'client', SLEEP, { node: nodes[1] ?? '' }),
    );
    await podsReady(NS);
  });
  after(() => deleteNamespace(NS));

  it('a job whose init container needs the network before anything else', async () => {
    const ask = ['curl', '-sSf', '-m', '5', 'http://server'];
    const spec = {
      restartPolicy: 'Never',
      initContainers: [{ name: 'init', image: 'ambit-shop:0.1.0', imagePullPolicy: 'Never', command: ask }],
    };
    const template = { spec: podSpec(ask, { spec }) };
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'job', namespace: NS },
      spec: { backoffLimit: 0, template },
    });
    await kubectl(['wait', '-n', NS, 'job/job', '--for=condition=Complete', '--timeout=60s']);
  });

  it('a stateful set that is reached by the names of its pods', async () => {
    const labels = { app: 'stateful' };
    await apply(serviceObject(NS, 'stateful', { clusterIP: 'None', ports: [{ name: 'http', port: 8080 }] }), {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'stateful', namespace: NS },
      spec: {
        serviceName: 'stateful',
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(SERVER) },
      },
    });
    await kubectl(['rollout', 'status', '-n', NS, 'statefulset/stateful', '--timeout=90s']);
    for (const pod of ['stateful-0', 'stateful-1']) {
      const answer = await until(pod, async () => {
        const text = await fetchFrom(NS, 'client', `http://${pod}.stateful:8080`);
        return text.includes('"pod"') ? text : undefined;
      });
      assert.match(answer, new RegExp(`"${pod}"`));
    }
  });

  it('pods of the host network, as callers and as called', async () => {
    const spec = { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' };
    const command = ['python3', '/programs/server.py', '18080'];
    await apply(podObject(NS, 'host', command, { node: nodes[0] ?? '', spec }));
    await podsReady(NS);
    const address = await kubectl(['get', 'pod', '-n', NS, 'host', '-o', 'jsonpath={.status.hostIP}']);
    assert.match(await fetchFrom(NS, 'client', `http://${address}:18080`), /"pod"/);
    assert.match(await fetchFrom(NS, 'host', 'http://server.workloads.svc.cluster.local'), /"server"/);
  });

  it('a port of the node that leads to a pod', async () => {
    const container = { ports: [{ containerPort: 8080, hostPort: 18081 }] };
    await apply(podObject(NS, 'hostport', SERVER, { node: nodes[0] ?? '', container }));
    await podsReady(NS);
    const address = await kubectl(['get', 'pod', '-n', NS, 'hostport', '-o', 'jsonpath={.status.hostIP}']);
    const answer = await nodeExec(nodes[1] ?? '', ['curl', '-sS', '-m', '5', `http://${address}:18081`]);
    assert.match(answer, /"hostport"/);
  });

  it('pods with several containers, each of which calls and is called', async () => {
    const second = {
      name: 'second',
      image: 'ambit-shop:0.1.0',
      imagePullPolicy: 'Never',
      command: ['python3', '/programs/server.py', '8081'],
      volumeMounts: [{ name: 'programs', mountPath: '/programs' }],
    };
    const base = podSpec(SERVER);
    const containers = [...(base['containers'] as object[]), second];
    await apply({ ...podObject(NS, 'several', SERVER), spec: { ...base, containers } });
    await podsReady(NS);
    const address = await podIp(NS, 'several');
    for (const port of [8080, 8081]) {
      assert.match(await fetchFrom(NS, 'client', `http://${address}:${port}`), /"several"/);
    }
    const answer = await kubectl([
      'exec',
      '-n',
      NS,
      'several',
      '-c',
      'second',
      '--',
      'curl',
      '-sS',
      '-m',
      '5',
      'http://server',
    ]);
    assert.match(answer, /"server"/);
  });

  it('says in the log of the client’s ztunnel why a tunnel does not come about when 15008 is blocked', async () => {
    const address = await podIp(NS, 'server');
    const rule = ['FORWARD', '-p', 'tcp', '-d', address, '--dport', '15008', '-j', 'DROP'];
    await nodeExec(nodes[0] ?? '', ['iptables', '-I', ...rule]);
    try {
      // An address of its own: tunnels that exist are not touched by the rule of a new one.
      await kubectl(['delete', 'pod', '-n', NS, 'client', '--now']);
      await apply(podObject(NS, 'client', SLEEP, { node: nodes[1] ?? '' }));
      await podsReady(NS);
      await podExec(NS, 'client', ['curl', '-sS', '-m', '15', `http://${address}:8080`]).catch(() => undefined);
      const line = await until('the reason', async () => {
        const log = await logOfZtunnelOn(nodes[1] ?? '');
        return log.split('\n').find((text) => text.includes(address) && text.includes('error='));
      });
      assert.match(line, /connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: /);
    } finally {
      await nodeExec(nodes[0] ?? '', ['iptables', '-D', ...rule]);
    }
  });
});

async function logOfZtunnelOn(node: string): Promise<string> {
  const pods = await kubectlJson<{ items: { metadata: { name: string } }[] }>([
    'get',
    'pods',
    '-n',
    'istio-system',
    '-l',
    'app=ztunnel',
    '--field-selector',
    `spec.nodeName=${node}`,
  ]);
  return kubectl(['logs', '-n', 'istio-system', pods.items[0]?.metadata.name ?? '', '--tail=200']);
}
