import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { KubeControl } from '../../../src/control/kube-app.ts';
import { DESTINATION_RULES, GATEWAYS, NAMESPACES, SECRETS, SERVICES } from '../../../src/kube/resource-kind.ts';
import { CREDENTIAL_TYPE } from '../../../src/model/waypoint-feed.ts';
import { Credential } from '../../../src/proto/gen/ambit.ts';
import { LogFilter } from '../../../src/telemetry/log-filter.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi, MESH_KINDS } from '../../helpers/fake-kube-api.ts';
import { FeedClient, feedRequest } from '../../helpers/feed-client.ts';
import { object, service } from '../../helpers/manifests.ts';
import { createTestCa, type TestLeaf } from '../../helpers/test-ca.ts';
import { waypointGatewayManifest } from '../../helpers/waypoint-gateway.ts';

type Raw = Parameters<FakeKubeApi['put']>[1];

const ca = createTestCa();

function secret({ certPem, keyPem }: TestLeaf, namespace = 'demo', name = 'client'): Raw {
  const data = { 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': ca.rootPem, other: 'unread' };
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { metadata: { name, namespace }, data: Object.fromEntries(encoded) } as Raw;
}

describe('Secrets of the API server for waypoints', { timeout: 60_000 }, () => {
  let api: FakeKubeApi;
  let control: KubeControl;
  let log: string[] = [];
  const feeds: FeedClient[] = [];
  const rule = object('networking.istio.io/v1', 'DestinationRule', 'web', {
    host: 'web',
    trafficPolicy: { tls: { mode: 'MUTUAL', credentialName: 'client' } },
  });

  beforeEach(async () => {
    api = await FakeKubeApi.start({ customKinds: [...MESH_KINDS, DESTINATION_RULES] });
    for (const name of ['istio-system', 'demo']) api.put(NAMESPACES, { metadata: { name } });
    api.put(SERVICES, service('web', { clusterIP: '10.96.0.10' }) as Raw);
    api.put(GATEWAYS, waypointGatewayManifest() as Raw);
    for (const [token, account] of [
      ['gate', 'demo:gate'],
      ['web', 'demo:web'],
      ['zt', 'istio-system:ztunnel'],
    ] as const) {
      api.tokens.set(token, { username: `system:serviceaccount:${account}` });
    }
    const ports = { grpcPort: 0, httpPort: 0, monitoringPort: 0, webhookPort: 0 };
    log = [];
    const filter = new LogFilter('trace');
    const destination = { write: (line: string) => void log.push(line) };
    const logger = createLogger({ format: 'json', filter, destination });
    control = new KubeControl(
      { kube: api.config, identity: 'a', host: '127.0.0.1', version: 'test', ...ports },
      { clock: systemClock, logger, random: Math.random },
    );
  });
  afterEach(async () => {
    for (const feed of feeds.splice(0)) feed.close();
    await control.stop(0);
    await api.stop();
  });

  function subscribe(token: string): FeedClient {
    const feed = new FeedClient({ port: control.addresses.grpcPort, rootsPem: control.rootsPem }, token);
    feeds.push(feed);
    feed.stream.write(feedRequest({ typeUrl: CREDENTIAL_TYPE }));
    return feed;
  }

  async function nextOf(feed: FeedClient): Promise<Credential[]> {
    const { resources } = await feed.next(CREDENTIAL_TYPE);
    return resources.map(({ resource }) => Credential.decode(resource?.value ?? assert.fail()));
  }

  const secretRequests = () => api.requests.filter((request) => /\/namespaces\/demo\/secrets/.test(request));

  it('are read by name where a rule names them, go to the waypoint alone, and follow every change', async () => {
    const [first, second] = [ca.leaf(), ca.leaf()];
    api.put(SECRETS, secret(first));
    api.put(SECRETS, secret(first, 'demo', 'password'));
    api.put(DESTINATION_RULES, rule as Raw);
    await control.start();
    const gate = subscribe('gate');
    assert.deepEqual(
      (await nextOf(gate)).map(({ problem, key }) => [problem, key]),
      [['', first.keyPem]],
    );
    for (const token of ['web', 'zt']) assert.deepEqual(await nextOf(subscribe(token)), []);
    for (const request of secretRequests()) assert.match(request, /fieldSelector=metadata\.name%3Dclient(&|$)/);
    api.put(SECRETS, secret(second));
    assert.deepEqual(
      (await nextOf(gate)).map(({ key }) => key),
      [second.keyPem],
    );
    api.remove(SECRETS, 'demo', 'client');
    assert.match((await nextOf(gate))[0]?.problem ?? '', /Secret demo\/client does not exist/);
    for (const { keyPem } of [first, second]) {
      for (const text of [keyPem.split('\n')[1] ?? '', Buffer.from(keyPem).toString('base64').slice(60, 120)]) {
        assert.ok(!log.join('').includes(text), 'no key is in the log');
        const status = await fetch(`http://127.0.0.1:${control.addresses.httpPort}/debug/statusz`);
        assert.ok(!(await status.text()).includes(text));
      }
    }
  });

  it('are waited for before the first answer, so that a waypoint does not hear that they are missing', async () => {
    const leaf = ca.leaf();
    api.put(SECRETS, secret(leaf));
    api.put(DESTINATION_RULES, rule as Raw);
    let refusals = 3;
    api.refuse = (_method, path) => (path.includes('/namespaces/demo/secrets') && refusals-- > 0 ? 503 : undefined);
    await control.start();
    assert.deepEqual(
      (await nextOf(subscribe('gate'))).map(({ problem, key }) => [problem, key]),
      [['', leaf.keyPem]],
    );
    assert.ok(refusals <= 0);
  });

  it('never go to a node proxy, also where a Gateway has its name', async () => {
    const gateway = waypointGatewayManifest();
    api.put(GATEWAYS, {
      ...gateway,
      metadata: { ...gateway.metadata, name: 'ztunnel', namespace: 'istio-system' },
    } as Raw);
    api.put(GATEWAYS, { ...gateway, metadata: { ...gateway.metadata, namespace: 'istio-system' } } as Raw);
    api.put(SECRETS, secret(ca.leaf(), 'istio-system'));
    const host = 'web.demo.svc.cluster.local';
    const trafficPolicy = { tls: { mode: 'MUTUAL', credentialName: 'client' } };
    const spec = { host, trafficPolicy };
    const meta = { namespace: 'istio-system' };
    api.put(DESTINATION_RULES, object('networking.istio.io/v1', 'DestinationRule', 'web', spec, meta) as Raw);
    api.tokens.set('root-gate', { username: 'system:serviceaccount:istio-system:gate' });
    await control.start();
    assert.equal((await nextOf(subscribe('root-gate'))).length, 1);
    assert.deepEqual(await nextOf(subscribe('zt')), []);
  });

  it('are not read at all while no rule names one', async () => {
    await control.start();
    assert.deepEqual(await nextOf(subscribe('gate')), []);
    assert.deepEqual(secretRequests(), []);
  });

  it('that may not be read are said to be missing, and are there once the right is', async () => {
    const leaf = ca.leaf();
    api.put(SECRETS, secret(leaf));
    await control.start();
    let isForbidden = true;
    api.refuse = (_method, path) => (isForbidden && path.includes('/namespaces/demo/secrets') ? 403 : undefined);
    api.put(DESTINATION_RULES, rule as Raw);
    const remark = () => control.status().accepted.find(({ object: key }) => key === 'DestinationRule/demo/web')?.note;
    await eventually('a remark', () => remark()?.includes('the control plane may not read it') === true);
    isForbidden = false;
    await eventually('no remark', () => remark() === undefined);
    assert.deepEqual(
      (await nextOf(subscribe('gate'))).map(({ key }) => key),
      [leaf.keyPem],
    );
  });
});
