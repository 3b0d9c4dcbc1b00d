import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { credentials, status as grpcStatus, Metadata } from '@grpc/grpc-js';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { KubeControl } from '../../../src/control/kube-app.ts';
import type { KubeControlOptions } from '../../../src/control/kube-options.ts';
import {
  AUTHORIZATION_POLICIES,
  CONFIG_MAPS,
  DEPLOYMENTS,
  GATEWAYS,
  HTTP_ROUTES,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  REQUEST_AUTHENTICATIONS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  TCP_ROUTES,
} from '../../../src/kube/resource-kind.ts';
import { AUTHORIZATION_TYPE_URL } from '../../../src/model/feed-encode.ts';
import { AUTHORIZATION_PROVIDER_TYPE } from '../../../src/model/waypoint-feed.ts';
import { createCsr } from '../../../src/pki/csr.ts';
import { createRootTexts } from '../../../src/pki/root-rotation.ts';
import { IstioCertificateServiceClient } from '../../../src/proto/gen/ca.ts';
import type { DeltaDiscoveryResponse } from '../../../src/proto/gen/discovery.ts';
import { Address } from '../../../src/proto/gen/workload.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { FeedClient, feedRequest } from '../../helpers/feed-client.ts';
import { authorizationPolicy, object, pod, service } from '../../helpers/manifests.ts';
import { GATEWAY_API, httpRoute, toService } from '../../helpers/routes.ts';
import { createTestCa, testSpiffeId } from '../../helpers/test-ca.ts';

type Raw = { metadata: Record<string, unknown> } & Record<string, unknown>;

const ZTUNNEL = 'system:serviceaccount:istio-system:ztunnel';
const names = (response: DeltaDiscoveryResponse) => response.resources.map(({ name }) => name).sort();

describe('the control plane on Kubernetes', { timeout: 60_000 }, () => {
  let api: FakeKubeApi;
  const running: KubeControl[] = [];
  const feeds: FeedClient[] = [];
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
    for (const name of ['istio-system', 'demo', 'kube-system']) api.put(NAMESPACES, { metadata: { name } });
    api.put(NODES, { metadata: { name: 'node-a', labels: { 'topology.kubernetes.io/zone': 'z1' } } });
    api.put(PODS, pod({ name: 'web', ip: '10.244.0.1', uid: 'u-web' }) as Raw);
    api.put(PODS, pod({ name: 'zt-a', namespace: 'istio-system', serviceAccount: 'ztunnel', uid: 'u-zt' }) as Raw);
    api.put(SERVICES, service('web', { clusterIP: '10.96.0.10' }) as Raw);
    const extra = {
      'authentication.kubernetes.io/pod-name': ['zt-a'],
      'authentication.kubernetes.io/pod-uid': ['u-zt'],
      'authentication.kubernetes.io/node-name': ['node-a'],
    };
    api.tokens.set('zt-token', { username: ZTUNNEL, extra });
  });
  afterEach(async () => {
    for (const feed of feeds.splice(0)) feed.close();
    for (const control of running.splice(0)) await control.stop(0);
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  function create(options: Partial<KubeControlOptions> = {}): KubeControl {
    const control = new KubeControl(
      {
        kube: api.config,
        identity: `replica-${running.length}`,
        host: '127.0.0.1',
        grpcPort: 0,
        httpPort: 0,
        monitoringPort: 0,
        webhookPort: 0,
        version: 'test',
        ...options,
      },
      { clock: systemClock, logger: silentLogger, random: Math.random },
    );
    running.push(control);
    return control;
  }

  async function start(options: Partial<KubeControlOptions> = {}): Promise<KubeControl> {
    const control = create(options);
    await control.start();
    return control;
  }

  function subscribe(control: KubeControl, token = 'zt-token'): FeedClient {
    const feed = new FeedClient({ port: control.addresses.grpcPort, rootsPem: control.rootsPem }, token);
    feeds.push(feed);
    feed.stream.write(feedRequest({}));
    feed.stream.write(feedRequest({ typeUrl: AUTHORIZATION_TYPE_URL }));
    return feed;
  }

  async function httpGet(port: number, path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  }

  function certificate(control: KubeControl, token: string, impersonated: string): Promise<string[]> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const creds = credentials.createSsl(Buffer.from(control.rootsPem));
    const client = new IstioCertificateServiceClient(`localhost:${control.addresses.grpcPort}`, creds);
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const csr = createCsr(privateKey, impersonated);
    const body = { csr, validityDuration: 3600, metadata: { ImpersonatedIdentity: impersonated } };
    return new Promise((resolve, reject) => {
      client.createCertificate(body, metadata, (error, response) => {
        client.close();
        if (error === null) resolve(response.certChain);
        else reject(error);
      });
    });
  }

  it('sends pods and services of the API server, then what changes', async () => {
    const feed = subscribe(await start());
    const first = await feed.next();
    assert.deepEqual(names(first), ['Kubernetes//Pod/demo/web', 'demo/web.demo.svc.cluster.local']);
    const found = first.resources.find(({ name }) => name.includes('//Pod/'));
    const { type } = Address.decode(found!.resource!.value);
    assert.ok(type?.$case === 'workload');
    assert.equal(type.workload.locality?.zone, 'z1');
    api.put(PODS, pod({ name: 'client', ip: '10.244.0.2' }) as Raw);
    assert.deepEqual(names(await feed.next()), ['Kubernetes//Pod/demo/client']);
    api.remove(PODS, 'demo', 'client');
    assert.deepEqual((await feed.next()).removedResources, ['Kubernetes//Pod/demo/client']);
  });

  it('is not ready, and takes no calls, before every kind is known', async () => {
    api.refuse = (_, path) => (path.endsWith('/authorizationpolicies') ? 403 : undefined);
    const control = create();
    const started = control.start();
    await eventually('plain HTTP', () => control.addresses.httpPort !== 0);
    await eventually('pods are read', () =>
      api.requests.some((line) => line.includes('/pods?') && line.includes('watch')),
    );
    assert.equal((await httpGet(control.addresses.httpPort, '/ready')).status, 503);
    assert.equal(control.addresses.grpcPort, 0);
    api.refuse = () => undefined;
    await started;
    assert.equal((await httpGet(control.addresses.httpPort, '/ready')).status, 200);
  });

  it('starts without the kinds of Istio, and takes them once they are installed', async () => {
    api.unserve(AUTHORIZATION_POLICIES);
    api.unserve(GATEWAYS);
    const feed = subscribe(await start());
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), []);
    api.serve(AUTHORIZATION_POLICIES);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('late', {}) as Raw);
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), ['demo/late']);
  });

  it('keeps the last good version of a policy that becomes invalid', async () => {
    const rules = [{ from: [{ source: { namespaces: ['demo'] } }] }];
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('p', { rules }) as Raw);
    const control = await start();
    const feed = subscribe(control);
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), ['demo/p']);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('p', { rulez: [] }) as Raw);
    await eventually('refused', () => control.status().refused.length === 1);
    assert.match(control.status().refused[0]?.field ?? '', /rulez/);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('p', {}) as Raw);
    const mended = await feed.next(AUTHORIZATION_TYPE_URL);
    assert.deepEqual(mended.removedResources, []);
    assert.deepEqual(names(mended), ['demo/p']);
    assert.equal(control.status().refused.length, 0);
  });

  it('refuses a token that the API server does not know, or that is for another audience', async () => {
    const control = await start();
    api.tokens.set('other-audience', { username: ZTUNNEL, audiences: ['api'] });
    for (const token of ['unknown', 'other-audience']) {
      await assert.rejects(subscribe(control, token).next(), { code: grpcStatus.UNAUTHENTICATED });
    }
  });

  it('says that it is unavailable while tokens cannot be reviewed', async () => {
    const control = await start();
    api.refuse = (_, path) => (path.endsWith('/tokenreviews') ? 500 : undefined);
    await assert.rejects(subscribe(control).next(), { code: grpcStatus.UNAVAILABLE });
    await assert.rejects(certificate(control, 'zt-token', testSpiffeId('demo', 'web')), {
      code: grpcStatus.UNAVAILABLE,
    });
  });

  it('gives a node proxy certificates of pods on the node of its own live pod only', async () => {
    const control = await start();
    api.put(PODS, pod({ name: 'far', ip: '10.244.1.1', node: 'node-b' }) as Raw);
    const feed = subscribe(control);
    await feed.next();
    const chain = await certificate(control, 'zt-token', testSpiffeId('demo', 'web'));
    assert.equal(new X509Certificate(chain[0]!).subjectAltName, `URI:${testSpiffeId('demo', 'web')}`);
    assert.equal(chain.at(-1), control.rootsPem);
    await assert.rejects(certificate(control, 'zt-token', testSpiffeId('demo', 'far')), {
      code: grpcStatus.UNAUTHENTICATED,
    });
    // A token of a former pod of the same name, and one without a pod whose node would be believed elsewhere.
    const former = {
      'authentication.kubernetes.io/pod-name': ['zt-a'],
      'authentication.kubernetes.io/pod-uid': ['old'],
    };
    api.tokens.set('former', { username: ZTUNNEL, extra: former });
    api.tokens.set('unbound', { username: ZTUNNEL, extra: { 'authentication.kubernetes.io/node-name': ['node-a'] } });
    for (const token of ['former', 'unbound']) {
      await assert.rejects(certificate(control, token, testSpiffeId('demo', 'web')), {
        code: grpcStatus.UNAUTHENTICATED,
      });
    }
  });

  it('makes one root for two replicas that start at once', async () => {
    const [a, b] = [create(), create()];
    await Promise.all([a.start(), b.start()]);
    assert.notEqual(a.rootsPem, '');
    assert.equal(a.rootsPem, b.rootsPem);
    assert.deepEqual(
      api.objects(SECRETS).map(({ metadata }) => metadata.name),
      ['istio-ca-secret'],
    );
    const [feedA, feedB] = [subscribe(a), subscribe(b)];
    assert.deepEqual(names(await feedA.next()), names(await feedB.next()));
    await eventually('one leads', () => a.isLeader !== b.isLeader);
  });

  it('writes the root certificate into every namespace, and puts it right again', async () => {
    const control = await start();
    const held = (namespace: string) =>
      (api.get(CONFIG_MAPS, namespace, 'istio-ca-root-cert')?.['data'] as Record<string, string> | undefined)?.[
        'root-cert.pem'
      ];
    await eventually('in demo', () => held('demo') === control.rootsPem);
    await eventually('in istio-system', () => held('istio-system') === control.rootsPem);
    assert.equal(held('kube-system'), undefined);
    api.put(NAMESPACES, { metadata: { name: 'later' } });
    await eventually('in a new namespace', () => held('later') === control.rootsPem);
    api.put(CONFIG_MAPS, {
      metadata: { namespace: 'demo', name: 'istio-ca-root-cert' },
      data: { 'root-cert.pem': 'x' },
    });
    await eventually('repaired', () => held('demo') === control.rootsPem);
    api.remove(CONFIG_MAPS, 'demo', 'istio-ca-root-cert');
    await eventually('made again', () => held('demo') === control.rootsPem);
  });

  it('writes the root certificate into namespaces that come into view', async () => {
    const select = (...selectors: object[]) =>
      api.put(CONFIG_MAPS, {
        metadata: { namespace: 'istio-system', name: 'istio' },
        data: { mesh: JSON.stringify({ discoverySelectors: selectors }) },
      });
    select({ matchLabels: { mesh: 'yes' } });
    await start();
    const has = (namespace: string) => api.get(CONFIG_MAPS, namespace, 'istio-ca-root-cert') !== undefined;
    await eventually('in its own namespace', () => has('istio-system'));
    assert.equal(has('demo'), false);
    select();
    await eventually('in demo', () => has('demo'));
  });

  it('announces a next root when its own is about to end, and goes on signing with the old one', async () => {
    const dayMs = 86_400_000;
    const old = createRootTexts({ organization: 'cluster.local', lifetimeMs: 100 * dayMs }, Date.now() - 90 * dayMs);
    const data = Object.fromEntries(Object.entries(old).map(([k, v]) => [k, Buffer.from(v).toString('base64')]));
    api.put(SECRETS, { metadata: { namespace: 'istio-system', name: 'istio-ca-secret' }, data });
    const control = await start();
    await eventually('both are trusted', () => control.rootsPem.split('BEGIN CERTIFICATE').length === 3);
    const chain = await certificate(control, 'zt-token', testSpiffeId('demo', 'web'));
    const issuer = new X509Certificate(old['ca-cert.pem'] ?? '');
    assert.ok(new X509Certificate(chain[0] ?? '').verify(issuer.publicKey));
    assert.equal(chain.at(-1), control.rootsPem);
  });

  it('writes its own root back when somebody deletes it, so that a replica that starts makes no other', async () => {
    const control = await start();
    const roots = control.rootsPem;
    api.remove(SECRETS, 'istio-system', 'istio-ca-secret');
    await eventually('written back', () => api.get(SECRETS, 'istio-system', 'istio-ca-secret') !== undefined);
    assert.equal((await start()).rootsPem, roots);
    assert.equal(control.rootsPem, roots);
  });

  it('runs the waypoint that a Gateway asks for, and says when it is ready', async () => {
    await start({ waypoint: { image: 'ambit:1', imagePullPolicy: 'Never' } });
    const metadata = { namespace: 'demo', name: 'gate', uid: 'gate-uid', generation: 3 };
    const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
    api.put(GATEWAYS, { metadata, spec: { gatewayClassName: 'istio-waypoint', listeners } });
    api.put(GATEWAYS, {
      metadata: { ...metadata, name: 'edge' },
      spec: { gatewayClassName: 'istio', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
    });
    await eventually('all parts', () =>
      [SERVICE_ACCOUNTS, SERVICES, DEPLOYMENTS].every((kind) => api.get(kind, 'demo', 'gate') !== undefined),
    );
    const deployment = api.get(DEPLOYMENTS, 'demo', 'gate');
    assert.deepEqual(deployment?.metadata['ownerReferences'], [
      { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: 'gate', uid: 'gate-uid', controller: true },
    ]);
    assert.match(JSON.stringify(deployment), /"image":"ambit:1","imagePullPolicy":"Never"/);
    const programmed = () => {
      const status = api.get(GATEWAYS, 'demo', 'gate')?.['status'] as {
        conditions?: { type: string; status: string }[];
      };
      return status?.conditions?.find(({ type }) => type === 'Programmed')?.status;
    };
    await eventually('the status', () => programmed() === 'False');
    const labels = { 'gateway.networking.k8s.io/gateway-name': 'gate' };
    const ready = { phase: 'Running', podIP: '10.244.0.9', conditions: [{ type: 'Ready', status: 'True' }] };
    api.put(PODS, { metadata: { namespace: 'demo', name: 'gate-1', labels }, spec: {}, status: ready });
    await eventually('it is ready', () => programmed() === 'True');
    assert.equal(api.get(DEPLOYMENTS, 'demo', 'edge'), undefined, 'other gateways are not ours');
  });

  it('signs with a plugged-in CA, follows its renewal, and refuses a broken one', async () => {
    const plug = (ca: ReturnType<typeof createTestCa>, key?: string) => {
      const keyPem = key ?? ca.issuer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const texts = {
        'ca-cert.pem': ca.rootPem,
        'ca-key.pem': keyPem,
        'root-cert.pem': ca.rootPem,
        'cert-chain.pem': '',
      };
      const data = Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, Buffer.from(v).toString('base64')]));
      api.put(SECRETS, { metadata: { namespace: 'istio-system', name: 'cacerts' }, data });
    };
    const [first, second] = [createTestCa(), createTestCa()];
    plug(first);
    const control = await start();
    assert.equal(control.rootsPem, first.rootPem);
    assert.equal(api.get(SECRETS, 'istio-system', 'istio-ca-secret'), undefined);
    plug(second, 'broken');
    plug(second);
    await eventually('renewed', () => control.rootsPem === second.rootPem);
    plug(first, 'broken');
    api.remove(SECRETS, 'istio-system', 'cacerts');
    await certificate(control, 'zt-token', testSpiffeId('demo', 'web'));
    assert.equal(control.rootsPem, second.rootPem);
  });

  it('takes a Secret in the form of cert-manager', async () => {
    const ca = createTestCa();
    const key = ca.issuer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const texts = { 'tls.crt': ca.rootPem, 'tls.key': key, 'ca.crt': ca.rootPem };
    const data = Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, Buffer.from(v).toString('base64')]));
    api.put(SECRETS, { metadata: { namespace: 'istio-system', name: 'cacerts' }, type: 'kubernetes.io/tls', data });
    assert.equal((await start()).rootsPem, ca.rootPem);
  });

  it('follows trust domain and discovery selectors of the mesh configuration', async () => {
    const configure = (mesh: object) =>
      api.put(CONFIG_MAPS, {
        metadata: { namespace: 'istio-system', name: 'istio' },
        data: { mesh: JSON.stringify(mesh) },
      });
    const control = await start();
    const feed = subscribe(control);
    await feed.next();
    configure({ trustDomain: 'example.org', enableTracing: true });
    const changed = await feed.next();
    const { type } = Address.decode(changed.resources[0]!.resource!.value);
    assert.ok(type?.$case === 'workload');
    assert.equal(type.workload.trustDomain, 'example.org');
    await certificate(control, 'zt-token', testSpiffeId('demo', 'web', 'example.org'));

    configure({ trustDomain: 'example.org', discoverySelectors: [{ matchLabels: { mesh: 'yes' } }] });
    assert.deepEqual((await feed.next()).removedResources.sort(), [
      'Kubernetes//Pod/demo/web',
      'demo/web.demo.svc.cluster.local',
    ]);
    api.put(NAMESPACES, { metadata: { name: 'demo', labels: { mesh: 'yes' } } });
    assert.deepEqual(names(await feed.next()), ['Kubernetes//Pod/demo/web', 'demo/web.demo.svc.cluster.local']);

    configure({ trustDomain: 7 });
    api.put(PODS, pod({ name: 'client', ip: '10.244.0.2' }) as Raw);
    const last = Address.decode((await feed.next()).resources[0]!.resource!.value).type;
    assert.ok(last?.$case === 'workload');
    assert.equal(last.workload.trustDomain, 'example.org');
  });

  it('tells waypoints of the external authorizers of the mesh configuration', async () => {
    const configure = (...extensionProviders: object[]) =>
      api.put(CONFIG_MAPS, {
        metadata: { namespace: 'istio-system', name: 'istio' },
        data: { mesh: JSON.stringify({ extensionProviders }) },
      });
    const rpc = { name: 'rpc', envoyExtAuthzGrpc: { service: 'ext.demo', port: 9000 } };
    configure(rpc);
    const feed = subscribe(await start());
    feed.stream.write(feedRequest({ typeUrl: AUTHORIZATION_PROVIDER_TYPE }));
    assert.deepEqual(names(await feed.next(AUTHORIZATION_PROVIDER_TYPE)), ['rpc']);
    configure(rpc, { name: 'web', envoyExtAuthzHttp: { service: 'ext.demo', port: 80 } });
    assert.deepEqual(names(await feed.next(AUTHORIZATION_PROVIDER_TYPE)), ['web']);
    configure({ name: 'rpc', envoyExtAuthzGrpc: { service: 'ext.demo' } });
    configure({ name: 'other', zipkin: { service: 'zipkin', port: 9411 } });
    const gone = await feed.next(AUTHORIZATION_PROVIDER_TYPE);
    assert.deepEqual([names(gone), gone.removedResources.sort()], [[], ['rpc', 'web']]);
  });

  it('of a revision reads the mesh configuration of that name, or else the common one', async () => {
    const configure = (name: string, trustDomain: string) =>
      api.put(CONFIG_MAPS, {
        metadata: { namespace: 'istio-system', name },
        data: { mesh: JSON.stringify({ trustDomain }) },
      });
    configure('istio', 'common.org');
    const control = await start({ revision: 'blue' });
    const accepts = (trustDomain: string) =>
      certificate(control, 'zt-token', testSpiffeId('demo', 'web', trustDomain)).then(
        () => true,
        () => false,
      );
    await eventually('the common one', () => accepts('common.org'));
    configure('istio-blue', 'blue.org');
    await eventually('its own', () => accepts('blue.org'));
    api.remove(CONFIG_MAPS, 'istio-system', 'istio-blue');
    await eventually('the common one again', () => accepts('common.org'));
  });

  it('leaves policies of another revision alone', async () => {
    const other = { labels: { 'istio.io/rev': 'canary' } };
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('other', {}, other) as Raw);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('own', {}) as Raw);
    const feed = subscribe(await start());
    assert.deepEqual(names(await feed.next(AUTHORIZATION_TYPE_URL)), ['demo/own']);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('own', {}, other) as Raw);
    assert.deepEqual((await feed.next(AUTHORIZATION_TYPE_URL)).removedResources, ['demo/own']);
  });

  it('writes what became of policies and waypoint references into their status, once', async () => {
    const l7 = { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] };
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('l4', {}) as Raw);
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('l7', l7) as Raw);
    const targetRefs = [{ group: '', kind: 'Service', name: 'web' }];
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('at-waypoint', { targetRefs }) as Raw);
    api.serve(REQUEST_AUTHENTICATIONS);
    api.put(REQUEST_AUTHENTICATIONS, {
      metadata: { namespace: 'demo', name: 'tokens' },
      spec: { targetRefs, jwtRules: [{ issuer: 'https://issuer' }] },
    });
    const foreign = { type: 'Other', status: 'True', reason: 'Mine', message: 'kept', lastTransitionTime: 'x' };
    api.put(SERVICES, {
      ...(service('web', {}, { labels: { 'istio.io/use-waypoint': 'wp' } }) as Raw),
      status: { conditions: [foreign] },
    });
    await start();
    const condition = (kind: typeof SERVICES, name: string, type: string) => {
      const status = api.get(kind, 'demo', name)?.['status'] as { conditions?: Record<string, string>[] } | undefined;
      const found = status?.conditions?.find((one) => one['type'] === type);
      return found === undefined ? undefined : `${found['status']} ${found['reason']}`;
    };
    await eventually('l4', () => condition(AUTHORIZATION_POLICIES, 'l4', 'ZtunnelAccepted') === 'True Accepted');
    await eventually(
      'l7',
      () => condition(AUTHORIZATION_POLICIES, 'l7', 'ZtunnelAccepted') === 'False UnsupportedValue',
    );
    const waypoint = () => condition(AUTHORIZATION_POLICIES, 'at-waypoint', 'WaypointAccepted');
    await eventually('not bound', () => waypoint() === 'False AncestorNotBound');
    const tokens = () => condition(REQUEST_AUTHENTICATIONS, 'tokens', 'WaypointAccepted');
    await eventually('tokens not bound', () => tokens() === 'False AncestorNotBound');
    const bound = () => condition(SERVICES, 'web', 'istio.io/WaypointBound');
    await eventually('missing', () => bound() === 'False WaypointMissing');
    assert.equal(condition(SERVICES, 'web', 'Other'), 'True Mine');

    api.put(GATEWAYS, {
      metadata: { namespace: 'demo', name: 'wp' },
      spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
    });
    await eventually('bound', () => bound() === 'True WaypointAccepted' && waypoint() === 'True Accepted');
    await eventually('tokens bound', () => tokens() === 'True Accepted');
    const writes = () => api.requests.filter((line) => line.startsWith('PATCH') && line.includes('/status')).length;
    const before = writes();
    api.put(AUTHORIZATION_POLICIES, authorizationPolicy('marker', {}) as Raw);
    await eventually(
      'marker',
      () => condition(AUTHORIZATION_POLICIES, 'marker', 'ZtunnelAccepted') === 'True Accepted',
    );
    assert.equal(writes(), before + 1);
  });

  it('writes what became of routes for each parent, in the version that the cluster serves', async () => {
    const tcpRoutes = { ...TCP_ROUTES, version: 'v1alpha2' };
    api.serve(HTTP_ROUTES);
    api.serve(tcpRoutes);
    const foreign = { parentRef: { name: 'gate' }, controllerName: 'other.org/gateway', conditions: [] };
    const rules = [{ backendRefs: [{ name: 'late', port: 80 }] }];
    api.put(HTTP_ROUTES, { ...(httpRoute('r', toService('web'), rules) as Raw), status: { parents: [foreign] } });
    const spec = { parentRefs: [toService('gone')], rules };
    api.put(tcpRoutes, object(`${GATEWAY_API}/v1alpha2`, 'TCPRoute', 't', spec) as Raw);
    await start();
    type Parents = { controllerName: string; conditions: { type: string; reason: string }[] }[];
    const reasons = (kind: typeof SERVICES, name: string) => {
      const status = api.get(kind, 'demo', name)?.['status'] as { parents?: Parents } | undefined;
      return (status?.parents ?? [])
        .map(({ controllerName, conditions }) => [controllerName, ...conditions.map(({ reason }) => reason)].join(' '))
        .join(', ');
    };
    const others = 'other.org/gateway, istio.io/mesh-controller';
    await eventually('missing', () => reasons(HTTP_ROUTES, 'r') === `${others} Accepted BackendNotFound`);
    await eventually(
      'no parent',
      () => reasons(tcpRoutes, 't') === 'istio.io/mesh-controller NoMatchingParent BackendNotFound',
    );
    api.put(SERVICES, service('late', { clusterIP: '10.96.0.11' }) as Raw);
    await eventually('found', () => reasons(HTTP_ROUTES, 'r') === `${others} Accepted ResolvedRefs`);
  });

  it('counts under the names of istiod', async () => {
    const control = await start();
    const feed = subscribe(control);
    await feed.next();
    await certificate(control, 'zt-token', testSpiffeId('demo', 'web'));
    api.put(PODS, pod({ name: 'client', ip: '10.244.0.2' }) as Raw);
    await feed.next();
    const { text } = await httpGet(control.addresses.monitoringPort, '/metrics');
    assert.match(text, /^pilot_xds\{version="test"\} 1$/m);
    assert.match(text, /^pilot_xds_pushes\{type="wds"\} 2$/m);
    assert.match(text, /^citadel_server_csr_count 1$/m);
    assert.match(text, /^citadel_server_success_cert_issuance_count 1$/m);
    assert.match(text, /^pilot_k8s_cfg_events\{type="Pod",event="add"\} 3$/m);
    assert.match(text, /^pilot_proxy_convergence_time_count 1$/m);
    assert.equal((await httpGet(control.addresses.monitoringPort, '/version')).text, 'test\n');
  });

  it('sends clients elsewhere and gives the lease back when it stops', async () => {
    const control = await start();
    await eventually('leads', () => control.isLeader);
    const feed = subscribe(control);
    await feed.next();
    const stopped = control.stop(3000);
    await eventually('the stream ended in order', () => feed.ended);
    await stopped;
    const lease = api.get(LEASES, 'istio-system', 'ambit-control')?.['spec'] as Record<string, unknown>;
    assert.equal(lease['holderIdentity'], '');
  });

  it('survives a restart of the API server without losing anything', async () => {
    const control = await start();
    const feed = subscribe(control);
    await feed.next();
    api.refuse = () => 503;
    api.breakWatches('reset');
    api.dropConnections();
    api.expireHistory();
    api.put(PODS, pod({ name: 'meanwhile', ip: '10.244.0.9' }) as Raw);
    api.refuse = () => undefined;
    assert.deepEqual(names(await feed.next()), ['Kubernetes//Pod/demo/meanwhile']);
    assert.equal((await httpGet(control.addresses.httpPort, '/ready')).status, 200);
  });

  it('keeps tokens out of everything that it logs', async () => {
    const lines: string[] = [];
    const note = (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`);
    const logger = {
      ...silentLogger,
      trace: note,
      debug: note,
      info: note,
      warn: note,
      error: note,
      enabled: () => true,
      scope: () => logger,
    };
    const control = new KubeControl(
      { kube: api.config, identity: 'x', grpcPort: 0, httpPort: 0, monitoringPort: 0, webhookPort: 0, version: 'test' },
      { clock: systemClock, logger, random: Math.random },
    );
    running.push(control);
    await control.start();
    await assert.rejects(subscribe(control, 'a-stolen-token').next());
    await subscribe(control).next();
    assert.notEqual(lines.length, 0);
    const digest = createHash('sha256').update('zt-token').digest('base64');
    for (const secret of ['a-stolen-token', 'zt-token', digest, 'api-token']) {
      assert.equal(
        lines.some((line) => line.includes(secret)),
        false,
      );
    }
  });
});
