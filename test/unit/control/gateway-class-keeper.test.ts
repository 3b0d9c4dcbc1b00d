import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { GatewayClassKeeper } from '../../../src/control/gateway-class-keeper.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { GATEWAY_CLASSES } from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

describe('the GatewayClasses of waypoints', { timeout: 60_000 }, () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let keeper: GatewayClassKeeper;
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
    client = new KubeClient(api.config, { clock: systemClock });
    keeper = new GatewayClassKeeper({ client, clock: systemClock, logger: silentLogger, random: Math.random });
  });
  afterEach(async () => {
    await keeper.stop();
    client.close();
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  const accepted = (name: string) =>
    JSON.stringify(api.get(GATEWAY_CLASSES, '', name)?.['status'] ?? '').includes('Acc');

  it('are made, accepted, and made again when somebody deletes them', async () => {
    keeper.start();
    await eventually('both', () => accepted('istio-waypoint') && accepted('ambit-waypoint'));
    const { spec } = api.get(GATEWAY_CLASSES, '', 'istio-waypoint') as unknown as { spec: object };
    assert.match(JSON.stringify(spec), /"controllerName":"istio.io\/mesh-controller"/);
    api.remove(GATEWAY_CLASSES, '', 'istio-waypoint');
    await eventually('again', () => accepted('istio-waypoint'));
  });

  it('of another controller are left alone', async () => {
    const spec = { controllerName: 'example.com/other' };
    api.put(GATEWAY_CLASSES, { metadata: { name: 'istio-waypoint' }, spec });
    keeper.start();
    await eventually('the other one', () => accepted('ambit-waypoint'));
    assert.equal(api.get(GATEWAY_CLASSES, '', 'istio-waypoint')?.['status'], undefined);
  });

  it('are not made without the Gateway API', async () => {
    api.unserve(GATEWAY_CLASSES);
    keeper.start();
    const tries = () =>
      api.requests.filter((request) => request === 'POST /apis/gateway.networking.k8s.io/v1/gatewayclasses');
    await eventually('both tried', () => tries().length === 2);
  });
});
