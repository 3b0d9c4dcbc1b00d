import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../../src/base/clock.ts';
import { ClusterMeshAccess } from '../../../../src/cli/mesh/cluster-mesh-access.ts';
import { askText } from '../../../../src/cli/mesh/mesh-access.ts';
import { PodNetworkAccess } from '../../../../src/cli/mesh/pod-network-access.ts';
import { KubeClient } from '../../../../src/kube/kube-client.ts';
import { PODS } from '../../../../src/kube/resource-kind.ts';
import { FakeKubeApi } from '../../../helpers/fake-kube-api.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

describe('a mesh seen from a pod of its cluster', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let clock: ManualClock;
  let access: PodNetworkAccess;
  const server = createServer((request, response) => response.end(`metrics of ${request.url}`));
  let port = 0;
  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    const metadata = { namespace: 'istio-system', labels: { app: 'ztunnel' } };
    api.put(PODS, { metadata: { ...metadata, name: 'here' }, status: { podIP: '127.0.0.1' } });
    api.put(PODS, { metadata: { ...metadata, name: 'coming' }, status: {} });
  });
  beforeEach(() => {
    api.refuse = () => undefined;
    clock = new ManualClock();
    access = new PodNetworkAccess(new ClusterMeshAccess(client, api.config, 'istio-system'), clock);
  });
  after(async () => {
    server.close();
    client.close();
    await api.stop();
  });

  const proxy = async (wanted: string) => (await access.proxies()).find(({ name }) => name === wanted) ?? assert.fail();

  it('has proxies that answer at their own addresses', async () => {
    assert.equal(await askText(access, await proxy('here'), port, '/stats'), 'metrics of /stats');
  });

  it('says which proxy does not answer, and why', async () => {
    const code = 'PROXY_UNREACHABLE';
    await assert.rejects(access.open(await proxy('coming'), port), {
      code,
      message: /istio-system\/coming: .*no address yet/,
    });
    await assert.rejects(access.open(await proxy('here'), 1), {
      code,
      message: /istio-system\/here: .*port 1.*REFUSED/,
    });
  });

  it('lists pods anew after a while only, and at once when that failed', async () => {
    const lists = () =>
      api.requests.filter((line) => /^GET \/api\/v1\/(namespaces\/istio-system\/)?pods/.test(line)).length;
    const start = lists();
    for (let n = 0; n < 5; n++) await access.proxies();
    assert.equal(lists() - start, 3, 'one for each role');
    clock.advance(10_000);
    api.refuse = () => 403;
    await assert.rejects(access.proxies());
    api.refuse = () => undefined;
    assert.equal((await access.proxies()).length, 2);
  });
});
