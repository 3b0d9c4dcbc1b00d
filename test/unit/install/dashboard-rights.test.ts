import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { ClusterMeshAccess } from '../../../src/cli/mesh/cluster-mesh-access.ts';
import { meshPrograms } from '../../../src/cli/mesh/dashboard-sources.ts';
import { PodNetworkAccess } from '../../../src/cli/mesh/pod-network-access.ts';
import { KubernetesGate } from '../../../src/dashboard/kubernetes-gate.ts';
import { isAnswer } from '../../../src/dashboard/viewer.ts';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { renderInstall } from '../../../src/install/render-install.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { isAllowed } from '../../helpers/rbac.ts';

const NS = 'mesh';

describe('the rights of the dashboard', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  it('cover every request that it makes with its own account, to find proxies and to look at viewers', async () => {
    const objects = renderInstall(parseInstallValues({ dashboard: { enabled: true } }), NS);
    const access = new PodNetworkAccess(new ClusterMeshAccess(client, api.config, NS), systemClock);
    const gate = new KubernetesGate(
      { hosts: [] },
      { client, clock: systemClock, namespaces: () => ['a', 'b'], programsOf: () => meshPrograms(access) },
    );
    api.tokens.set('t', { username: 'anna' });
    await access.proxies();
    const request = { method: 'GET', url: '/', headers: { host: 'localhost', authorization: 'Bearer t' } };
    const viewer = await gate.admit(request as unknown as IncomingMessage, new URL('http://localhost/'));
    assert.equal(isAnswer(viewer), false);
    assert.deepEqual(
      api.requests.filter((made) => !isAllowed(objects, 'ambit-dashboard', NS, made)),
      [],
    );
    assert.equal(
      api.requests.length,
      3 + 1 + 3,
      'lists of three roles, one token, rights everywhere and in two namespaces',
    );
  });
});
