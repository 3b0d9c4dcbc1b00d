/** `ambit control` as processes on one API server. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CONFIG_MAPS, LEASES, NAMESPACES, PODS, SECRETS } from '../../src/kube/resource-kind.ts';
import { freePort } from '../helpers/direct-ztunnel.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeKubeApi } from '../helpers/fake-kube-api.ts';
import { FeedClient, feedRequest } from '../helpers/feed-client.ts';
import { pod } from '../helpers/manifests.ts';

const AMBIT = fileURLToPath(new URL('../../src/bin/ambit.ts', import.meta.url));

describe('two replicas of the control plane', { timeout: 110_000 }, () => {
  let api: FakeKubeApi;
  let folder = '';
  const replicas: ChildProcess[] = [];
  const grpcPorts: number[] = [];

  before(async () => {
    api = await FakeKubeApi.start();
    for (const name of ['istio-system', 'demo']) api.put(NAMESPACES, { metadata: { name } });
    api.put(PODS, pod({ name: 'web', ip: '10.244.0.1' }) as Parameters<FakeKubeApi['put']>[1]);
    api.tokens.set('zt', { username: 'system:serviceaccount:istio-system:ztunnel' });
    folder = await mkdtemp(join(tmpdir(), 'ambit-control-direct-'));
    const { server, caPem = '' } = api.config;
    const kubeconfig = {
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [
        { name: 'c', cluster: { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } },
      ],
      users: [{ name: 'u', user: { token: 'api-token' } }],
    };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  });
  after(async () => {
    for (const replica of replicas) replica.kill('SIGKILL');
    await api.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(name: string): Promise<ChildProcess> {
    const [grpcPort, httpPort] = [await freePort(), await freePort()];
    const [monitoringPort, webhookPort] = [await freePort(), await freePort()];
    const named = {
      'grpc-port': grpcPort,
      'http-port': httpPort,
      'monitoring-port': monitoringPort,
      'webhook-port': webhookPort,
    };
    const ports = Object.entries(named).flatMap(([name, port]) => [`--${name}`, String(port)]);
    const flags = ['control', '--kubeconfig', join(folder, 'kubeconfig'), '--host', '127.0.0.1', ...ports];
    const env = { ...process.env, POD_NAME: name, POD_NAMESPACE: 'istio-system' };
    const replica = spawn(process.execPath, [AMBIT, ...flags], { env, stdio: 'pipe' });
    replicas.push(replica);
    grpcPorts.push(grpcPort);
    const isReady = async () => {
      try {
        return (await fetch(`http://127.0.0.1:${httpPort}/ready`)).ok;
      } catch {
        // Not listening yet.
        return false;
      }
    };
    let log = '';
    replica.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    replica.stdout?.on('data', (chunk) => {
      log += chunk;
    });
    try {
      await eventually(`${name} is ready`, () => replica.exitCode !== null || isReady());
    } finally {
      if (replica.exitCode !== null || !(await isReady())) console.error(log);
    }
    assert.equal(replica.exitCode, null, `${name} has ended`);
    return replica;
  }

  const holder = () => {
    const lease = api.get(LEASES, 'istio-system', 'ambit-control')?.['spec'] as Record<string, unknown> | undefined;
    return lease?.['holderIdentity'];
  };
  const rootsPem = () => {
    const data = api.get(SECRETS, 'istio-system', 'istio-ca-secret')?.['data'] as Record<string, string>;
    return Buffer.from(data['root-cert.pem'] ?? '', 'base64').toString('utf8');
  };

  it('serve both; when the leader is told to stop, its clients and its lease go to the other', async () => {
    const [first] = [await start('first'), await start('second')];
    await eventually('first leads', () => holder() === 'first');
    const feeds = grpcPorts.map((port) => new FeedClient({ port, rootsPem: rootsPem() }, 'zt'));
    for (const feed of feeds) {
      feed.stream.write(feedRequest({}));
      const { resources } = await feed.next();
      assert.deepEqual(
        resources.map(({ name }) => name),
        ['Kubernetes//Pod/demo/web'],
      );
    }
    first.kill('SIGTERM');
    await eventually('the stream ended in order', () => feeds[0]?.ended === true);
    const [code] = (await once(first, 'exit')) as [number];
    assert.equal(code, 0);
    await eventually('second leads', () => holder() === 'second');
    api.put(NAMESPACES, { metadata: { name: 'later' } });
    const roots = () =>
      api.get(CONFIG_MAPS, 'later', 'istio-ca-root-cert')?.['data'] as Record<string, string> | undefined;
    await eventually('the second writes', () => roots()?.['root-cert.pem'] === rootsPem());
    for (const feed of feeds) feed.close();
  });
});
