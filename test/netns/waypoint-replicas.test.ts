/** How node proxies share their connections among the replicas of a waypoint (facts l7-and-control 11, row 12). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HboneServer, serveHbone } from '../helpers/hbone-server.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { clusterService, endpointOf, gatewayByHostname, identityOf } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';
import { echoOnce } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

const VIP = '10.96.0.20';

describe('the replicas of a waypoint', () => {
  it('share connections evenly though tunnels stay open, and a new one has its share at once', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client', { enrolled: true });
    const replicas: HboneServer[] = [];
    const addReplica = async (name: string) => {
      const fields = { protocol: 'HBONE' as const, nativeTunnel: true, ...endpointOf('gate', { 15008: 15008 }) };
      const pod = await mesh.addPod(name, { workload: { ...fields, serviceAccount: 'gate' } });
      replicas.push(await serveHbone(pod, { identity: identityOf('gate') }));
    };
    await addReplica('gate-1');
    await addReplica('gate-2');
    mesh.apply([
      { kind: 'service', service: clusterService('gate', '10.96.0.21', { 15008: 15008 }) },
      { kind: 'service', service: clusterService('echo', VIP, { 80: 8080 }, { waypoint: gatewayByHostname('gate') }) },
    ]);
    const call = async (times: number) => {
      const before = replicas.map(({ requests }) => requests.length);
      for (let n = 0; n < times; n++) assert.match(await echoOnce(client, VIP, 80, 'x'), /: x$/);
      return replicas.map(({ requests }, index) => requests.length - (before[index] ?? 0));
    };
    // Bounds are five standard deviations of a binomial distribution.
    const two = await call(60);
    assert.ok(Math.min(...two) >= 11, two.join(' '));
    await addReplica('gate-3');
    const three = await call(90);
    assert.ok(Math.min(...three) >= 8, three.join(' '));
    assert.deepEqual(
      replicas.map(({ tunnels }) => tunnels),
      [1, 1, 1],
      'one tunnel each, kept',
    );
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  });
});
