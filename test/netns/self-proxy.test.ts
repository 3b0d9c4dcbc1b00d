/** ztunnel's own endpoints over mutual TLS (facts ztunnel-wire 1.1, 15.3 test_hbone_metrics_access). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openHbone } from '../helpers/hbone-client.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { identityOf, ip } from '../helpers/mesh-objects.ts';
import { enterPrivateNetns } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const IDENTITY = 'spiffe://cluster.local/ns/istio-system/sa/ztunnel';
const SELF = { POD_NAME: 'ztunnel-x', POD_NAMESPACE: 'istio-system', SERVICE_ACCOUNT: 'ztunnel' };
const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ztunnel\r\nConnection: close\r\n\r\n`;

async function startWithSelf() {
  const mesh = await MeshLab.start({ env: SELF });
  const scraper = await mesh.addPod('prometheus');
  mesh.apply([
    {
      kind: 'workload',
      workload: {
        ...scraper.workload,
        uid: 'Kubernetes//Pod/istio-system/ztunnel-x',
        name: 'ztunnel-x',
        namespace: 'istio-system',
        serviceAccount: 'ztunnel',
        addresses: [ip(mesh.net.nodeIpv4)],
      },
    },
  ]);
  const open = () =>
    openHbone(scraper, { identity: identityOf('prometheus'), address: mesh.net.nodeIpv4, serverIdentity: IDENTITY });
  return { mesh, scraper, open };
}

describe('ztunnel with a name of its own', () => {
  it('serves metrics and readiness through a tunnel, and nothing else', async () => {
    const { mesh, open } = await startWithSelf();
    await using _mesh = mesh;
    using hbone = await open();
    const { metricsPort, readinessPort, adminPort } = mesh.ztunnel;
    const own = mesh.net.nodeIpv4;
    const metrics = await hbone.ask(`${own}:${metricsPort}`, GET('/metrics'));
    assert.equal(metrics.status, '200');
    assert.match(metrics.body, /istio_build\{component="ztunnel"/);
    const ready = await hbone.ask(`${own}:${readinessPort}`, GET('/healthz/ready'));
    assert.match(ready.body, /^HTTP\/1\.1 200 [\s\S]*ready/);
    for (const port of [adminPort, 15001, 15006, 15008, 22]) {
      assert.equal((await hbone.connect(`${own}:${port}`)).status, '503', `port ${port}`);
    }
    assert.equal((await hbone.connect(`127.0.0.1:${adminPort}`)).status, '400');
  });

  it('does not serve anybody while the feed does not know it', async () => {
    await using mesh = await MeshLab.start({ env: SELF });
    const scraper = await mesh.addPod('prometheus');
    await assert.rejects(
      openHbone(scraper, { identity: identityOf('prometheus'), address: mesh.net.nodeIpv4, serverIdentity: IDENTITY }),
    );
  });
});

describe('ztunnel without a name', () => {
  it('has no tunnel port of its own', async () => {
    await using mesh = await MeshLab.start();
    assert.equal(mesh.ztunnel.selfPort, undefined);
    const scraper = await mesh.addPod('prometheus');
    await assert.rejects(
      openHbone(scraper, { identity: identityOf('prometheus'), address: mesh.net.nodeIpv4, serverIdentity: IDENTITY }),
      /nothing listens/,
    );
  });
});
