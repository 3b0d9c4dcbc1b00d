import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { KubeControl } from '../../../src/control/kube-app.ts';
import { parseInstallValues } from '../../../src/install/install-values.ts';
import { renderInstall } from '../../../src/install/render-install.ts';
import {
  CONFIG_MAPS,
  GATEWAY_CLASSES,
  GATEWAYS,
  LEASES,
  NAMESPACES,
  POD_DISRUPTION_BUDGETS,
  SECRETS,
  VALIDATING_WEBHOOKS,
} from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { isAllowed } from '../../helpers/rbac.ts';
import { waypointGatewayManifest } from '../../helpers/waypoint-gateway.ts';

const NS = 'mesh';

/** A waypoint whose overlays the control plane has to read; it looks again when the Gateway changes. */
function putWaypoint(api: FakeKubeApi, data: Readonly<Record<string, string>>): void {
  api.put(CONFIG_MAPS, { metadata: { name: 'settings', namespace: 'demo' }, data });
  const labels = { overlays: String(Object.keys(data).length) };
  const infrastructure = { labels, parametersRef: { group: '', kind: 'ConfigMap', name: 'settings' } };
  api.put(GATEWAYS, waypointGatewayManifest({ infrastructure }) as Parameters<FakeKubeApi['put']>[1]);
}

describe('the rights of the control plane', { timeout: 60_000 }, () => {
  let api: FakeKubeApi;
  before(async () => {
    api = await FakeKubeApi.start();
    for (const name of [NS, 'demo']) api.put(NAMESPACES, { metadata: { name } });
    api.put(CONFIG_MAPS, { metadata: { name: 'istio-ca-root-cert', namespace: 'demo' }, data: {} });
  });
  after(() => api.stop());

  for (const revision of ['default', 'next']) {
    it(`cover every request that it makes as revision ${revision}, and no other Secret or ConfigMap`, async () => {
      const objects = renderInstall(parseInstallValues({ revision }), NS);
      const webhook = objects.find(({ kind }) => kind === 'ValidatingWebhookConfiguration') ?? assert.fail();
      api.put(VALIDATING_WEBHOOKS, { ...webhook });
      api.requests.splice(0);
      const ports = { grpcPort: 0, httpPort: 0, monitoringPort: 0, webhookPort: 0 };
      const waypoint = { image: 'ambit:1', imagePullPolicy: 'Never' };
      const self = { kube: api.config, namespace: NS, identity: 'a', host: '127.0.0.1', revision, version: 'test' };
      const options = { ...self, waypoint };
      putWaypoint(api, { podDisruptionBudget: 'spec: {minAvailable: 1}' });
      const deps = { clock: systemClock, logger: silentLogger, random: Math.random };
      const control = new KubeControl({ ...options, ...ports }, deps);
      await control.start();
      await eventually('roots in the namespace', () => api.get(CONFIG_MAPS, NS, 'istio-ca-root-cert') !== undefined);
      await eventually('roots in the webhook', () =>
        JSON.stringify(api.objects(VALIDATING_WEBHOOKS)).includes('caBundle'),
      );
      const budget = () => api.get(POD_DISRUPTION_BUDGETS, 'demo', 'gate');
      await eventually('a waypoint with a budget', () => budget() !== undefined);
      putWaypoint(api, {});
      await eventually('the budget gone', () => budget() === undefined);
      await eventually('classes with status', () =>
        ['istio-waypoint', 'ambit-waypoint'].every((name) => api.get(GATEWAY_CLASSES, '', name)?.['status']),
      );
      await control.stop(0);
      const refused = api.requests.filter((request) => !isAllowed(objects, 'ambit-control', NS, request));
      assert.deepEqual(refused, []);
      assert.ok(api.requests.length > 20);
      const foreign = [
        `GET /api/v1/namespaces/${NS}/secrets`,
        `GET /api/v1/namespaces/${NS}/secrets/password`,
        `PUT /api/v1/namespaces/${NS}/secrets/cacerts`,
        'PATCH /api/v1/namespaces/demo/configmaps/settings',
        'GET /api/v1/configmaps',
        'GET /api/v1/namespaces/demo/configmaps',
        'DELETE /apis/apps/v1/namespaces/demo/deployments/web',
        'DELETE /api/v1/namespaces/demo/services/web',
        'GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions/other',
        'PATCH /apis/gateway.networking.k8s.io/v1/gatewayclasses/other',
      ];
      for (const request of foreign) assert.equal(isAllowed(objects, 'ambit-control', NS, request), false, request);
      for (const kind of [SECRETS, LEASES])
        for (const { metadata } of api.objects(kind)) api.remove(kind, NS, metadata.name);
      api.remove(CONFIG_MAPS, NS, 'istio-ca-root-cert');
    });
  }
});
