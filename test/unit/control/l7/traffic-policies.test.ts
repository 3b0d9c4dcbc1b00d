import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_MESH_OPTIONS } from '../../../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../../../src/control/model-builder.ts';
import { ObjectStore } from '../../../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import {
  TRAFFIC_POLICIES_TYPE,
  trafficPoliciesName,
  type WaypointType,
  WORKLOAD_LABELS_TYPE,
} from '../../../../src/model/waypoint-feed.ts';
import {
  Algorithm,
  TlsMode,
  TrafficPolicies,
  type TrafficPolicy,
  WorkloadLabels,
} from '../../../../src/proto/gen/ambit.ts';
import { object, pod, service } from '../../../helpers/manifests.ts';

const HOST = 'web.demo.svc.cluster.local';

function parse(raw: unknown): ManifestObject {
  const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  return reading.object;
}

function rule(name: string, spec: object, meta: Record<string, unknown> = {}): Record<string, unknown> {
  return object('networking.istio.io/v1', 'DestinationRule', name, { host: 'web', ...spec }, meta);
}

/** A policy that is told from others by its number of requests. */
function limited(http2MaxRequests: number): { connectionPool: object } {
  return { connectionPool: { http: { http2MaxRequests } } };
}

class Mesh {
  readonly store = new ObjectStore();
  readonly model: ModelBuilder;

  constructor(...objects: readonly unknown[]) {
    this.add(service('web'), ...objects);
    this.model = new ModelBuilder(this.store, DEFAULT_MESH_OPTIONS);
  }

  add(...objects: readonly unknown[]): void {
    this.store.apply(objects.map(parse), []);
  }

  remove(raw: unknown): void {
    this.store.apply([], [keyOf(parse(raw))]);
  }

  policies(client = '', hostname = HOST): TrafficPolicies | undefined {
    const bytes = this.#bytes(TRAFFIC_POLICIES_TYPE, trafficPoliciesName(client, 'demo', hostname));
    return bytes && TrafficPolicies.decode(bytes);
  }

  labels(name: string): Record<string, string> | undefined {
    const bytes = this.#bytes(WORKLOAD_LABELS_TYPE, `Kubernetes//Pod/demo/${name}`);
    return bytes && Object.fromEntries(WorkloadLabels.decode(bytes).labels);
  }

  limit(client = ''): number | undefined {
    return this.policies(client)?.policies[0]?.connectionPool?.maxRequests;
  }

  note(name: string): string | undefined {
    return this.model.notes.get(`DestinationRule/demo/${name}`);
  }

  #bytes(typeUrl: WaypointType, name: string): Buffer | undefined {
    return this.model.waypointStores.get(typeUrl)?.get(name)?.value;
  }
}

function only(spec: object): TrafficPolicy {
  const [policy] = new Mesh(rule('one', { trafficPolicy: spec })).policies()?.policies ?? [];
  assert.ok(policy);
  return policy;
}

describe('the rule for a client', () => {
  const inNamespace = (namespace: string, requests: number, more: object = {}) =>
    rule('one', { host: HOST, trafficPolicy: limited(requests), ...more }, { namespace });

  it('is that of its namespace, else of the service, else of the root namespace', () => {
    const own = inNamespace('client', 1);
    const ofService = inNamespace('demo', 2);
    const ofRoot = inNamespace('istio-system', 3);
    const mesh = new Mesh(own, ofService, ofRoot);
    assert.deepEqual([mesh.limit(), mesh.limit('client'), mesh.limit('demo')], [2, 1, undefined]);
    mesh.remove(ofService);
    assert.deepEqual([mesh.limit(), mesh.limit('client')], [3, 1]);
    mesh.remove(own);
    assert.deepEqual([mesh.limit(), mesh.limit('client')], [3, undefined]);
    mesh.remove(ofRoot);
    assert.equal(mesh.limit(), undefined);
  });

  it('has to be exported to it', () => {
    const mesh = new Mesh(
      inNamespace('demo', 2, { exportTo: ['.', 'friend'] }),
      inNamespace('istio-system', 3, { exportTo: ['*'] }),
    );
    assert.deepEqual([mesh.limit(), mesh.limit('demo'), mesh.limit('friend')], [3, 2, 2]);
  });

  it('in the root namespace holds for clients there only if it says so', () => {
    const mesh = new Mesh(inNamespace('demo', 2), inNamespace('istio-system', 3));
    assert.equal(mesh.limit('istio-system'), undefined);
    mesh.add(inNamespace('istio-system', 3, { exportTo: ['.'] }));
    assert.equal(mesh.limit('istio-system'), 3);
  });

  it('is the one with the longest host', () => {
    const wide = rule('wide', { host: '*.cluster.local', trafficPolicy: limited(1) });
    const narrow = rule('narrow', { host: '*.demo.svc.cluster.local', trafficPolicy: limited(2) });
    const exact = rule('exact', { host: HOST, trafficPolicy: limited(3) });
    const mesh = new Mesh(wide, narrow, exact);
    assert.equal(mesh.limit(), 3);
    mesh.remove(exact);
    assert.equal(mesh.limit(), 2);
    mesh.remove(narrow);
    assert.equal(mesh.limit(), 1);
  });

  it('is merged of all with one host, the oldest first', () => {
    const subset = (name: string, version: string) => ({ name, labels: { version } });
    const at = (creationTimestamp: string) => ({ creationTimestamp });
    const mesh = new Mesh(
      rule(
        'a',
        { trafficPolicy: limited(1), subsets: [subset('v1', 'new'), subset('v2', 'x')] },
        at('2026-02-01T00:00:00Z'),
      ),
      rule('b', { host: HOST, trafficPolicy: limited(2), subsets: [subset('v1', 'old')] }, at('2026-01-01T00:00:00Z')),
    );
    assert.equal(mesh.limit(), 2);
    const subsets = mesh.policies()?.subsets.map(({ name, labels }) => [name, labels.get('version')]);
    assert.deepEqual(subsets, [
      ['v1', 'old'],
      ['v2', 'x'],
    ]);
  });

  it('is none that selects its clients', () => {
    const selective = { trafficPolicy: limited(1), workloadSelector: { matchLabels: { app: 'x' } } };
    const mesh = new Mesh(rule('one', selective));
    assert.equal(mesh.limit(), undefined);
    assert.match(mesh.note('one') ?? '', /workloadSelector/);
  });
});

describe('what ports and subsets inherit', () => {
  const loadBalancer = { simple: 'RANDOM' };
  const perPort = { port: { number: 80 }, loadBalancer: { simple: 'ROUND_ROBIN' } };

  /** Algorithm and limit by port and subset. */
  function table(trafficPolicy: object | undefined, ofSubset: object | undefined): Record<string, unknown> {
    const subset = { name: 'v1', labels: {}, ...(ofSubset && { trafficPolicy: ofSubset }) };
    const mesh = new Mesh(rule('one', { ...(trafficPolicy && { trafficPolicy }), subsets: [subset] }));
    const entries = mesh
      .policies()
      ?.policies.map((policy) => [
        `${policy.port} ${policy.subset}`.trimEnd(),
        [policy.loadBalancer?.algorithm, policy.connectionPool?.maxRequests],
      ]);
    return Object.fromEntries(entries ?? []);
  }

  it('a port replaces everything', () => {
    assert.deepEqual(table({ loadBalancer, ...limited(5), portLevelSettings: [perPort] }, undefined), {
      '0': [Algorithm.RANDOM, 5],
      '80': [Algorithm.ROUND_ROBIN, undefined],
    });
  });

  it('a subset replaces block by block', () => {
    assert.deepEqual(table({ loadBalancer, ...limited(5) }, limited(6)), {
      '0': [Algorithm.RANDOM, 5],
      '0 v1': [Algorithm.RANDOM, 6],
    });
    assert.deepEqual(table(undefined, limited(6)), { '0 v1': [undefined, 6] });
  });

  it('a subset takes from a port what it does not replace', () => {
    assert.deepEqual(table({ loadBalancer, portLevelSettings: [perPort] }, limited(6)), {
      '0': [Algorithm.RANDOM, undefined],
      '80': [Algorithm.ROUND_ROBIN, undefined],
      '0 v1': [Algorithm.RANDOM, 6],
      '80 v1': [Algorithm.ROUND_ROBIN, 6],
    });
  });

  it('a port of a subset replaces everything', () => {
    assert.deepEqual(table({ loadBalancer, ...limited(5) }, { ...limited(6), portLevelSettings: [perPort] })['80 v1'], [
      Algorithm.ROUND_ROBIN,
      undefined,
    ]);
  });
});

describe('defaults', () => {
  it('of ejection hold for an empty block, and let localities fail over', () => {
    const { outlierDetection, loadBalancer } = only({ outlierDetection: {} });
    assert.deepEqual(outlierDetection, {
      consecutive5xx: 5,
      consecutiveGatewayErrors: 0,
      splitLocalOrigin: false,
      consecutiveLocalOrigin: 5,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionPercent: 10,
      minHealthPercent: 0,
      errorCodes: [],
    });
    assert.equal(loadBalancer?.localityFailover, true);
  });

  it('take the old names', () => {
    assert.equal(only({ outlierDetection: { consecutiveErrors: 3 } }).outlierDetection?.consecutiveGatewayErrors, 3);
    assert.equal(only({ loadBalancer: { simple: 'LEAST_CONN' } }).loadBalancer?.algorithm, Algorithm.LEAST_REQUEST);
    assert.equal(only({ loadBalancer: { warmupDurationSecs: '30s' } }).loadBalancer?.warmupMs, 30_000);
  });

  it('leave failover off without ejection, and shares on', () => {
    const failoverPriority = ['tier'];
    const off = only({ loadBalancer: { localityLbSetting: { failoverPriority } } }).loadBalancer;
    assert.deepEqual([off?.localityFailover, off?.failoverPriority], [false, []]);
    const on = only({ loadBalancer: { localityLbSetting: { failoverPriority } }, outlierDetection: {} }).loadBalancer;
    assert.deepEqual([on?.localityFailover, on?.failoverPriority], [true, failoverPriority]);
    const distribute = [{ from: 'r1/*', to: { 'r1/*': 100 } }];
    const shares = only({ loadBalancer: { localityLbSetting: { distribute } } }).loadBalancer?.distribute;
    assert.equal(shares?.[0]?.to.get('r1/*'), 100);
  });

  it('fill in what is hashed', () => {
    const cookie = only({
      loadBalancer: { consistentHash: { httpCookie: { name: 'u', ttl: '1500ms' } } },
    }).loadBalancer;
    assert.equal(cookie?.algorithm, Algorithm.RING_HASH);
    assert.deepEqual(cookie?.hash, {
      key: { $case: 'cookie', cookie: { name: 'u', path: '', ttlSec: 2, generate: true, attributes: [] } },
      tableSize: 1024,
    });
    const maglev = only({ loadBalancer: { consistentHash: { httpHeaderName: 'X-U', maglev: {} } } }).loadBalancer;
    assert.deepEqual(maglev?.hash, { key: { $case: 'header', header: 'x-u' }, tableSize: 65_537 });
  });

  it('of limits are none, of times those of the mesh', () => {
    const { connectionPool } = only({ connectionPool: { tcp: { idleTimeout: '0s' }, http: { http2MaxRequests: 0 } } });
    assert.equal(connectionPool?.maxRequests, 0);
    assert.equal(connectionPool?.connectTimeoutMs, 10_000);
    assert.equal(connectionPool?.idleTimeoutMs, 2 ** 32 - 1);
  });

  it('of TLS are those of the mesh', () => {
    assert.equal(only({ tls: { mode: 'ISTIO_MUTUAL' } }).tls?.mode, TlsMode.DISABLE);
    const simple = only({ tls: { mode: 'SIMPLE', sni: 'x.example', subjectAltNames: ['y'] } }).tls;
    assert.deepEqual([simple?.mode, simple?.sni, simple?.subjectAltNames], [TlsMode.SIMPLE, 'x.example', ['y']]);
  });
});

describe('labels of endpoints', () => {
  const labelled = pod({ name: 'web', ip: '10.0.0.1', labels: { app: 'web', version: 'v1', other: 'x' } });
  const subsets = (...names: string[]) => [
    { name: 's', labels: Object.fromEntries(names.map((name) => [name, 'v1'])) },
  ];

  it('are fed where a subset asks for them, and no others', () => {
    const mesh = new Mesh(labelled);
    assert.equal(mesh.labels('web'), undefined);
    mesh.add(rule('one', { subsets: subsets('version') }));
    assert.deepEqual(mesh.labels('web'), { version: 'v1' });
    mesh.add(rule('one', { subsets: subsets('version', 'other') }));
    assert.deepEqual(mesh.labels('web'), { version: 'v1', other: 'x' });
    mesh.remove(rule('one', {}));
    assert.equal(mesh.labels('web'), undefined);
  });

  it('are fed to compare localities, of waypoints too', () => {
    const waypoint = pod({
      name: 'waypoint',
      ip: '10.0.0.9',
      labels: { 'gateway.networking.k8s.io/gateway-name': 'waypoint', version: 'v1', other: 'y' },
    });
    const mesh = new Mesh(labelled, waypoint);
    const balancer = { localityLbSetting: { failoverPriority: ['version', 'other=x'] } };
    mesh.add(rule('one', { trafficPolicy: { loadBalancer: balancer, outlierDetection: {} } }));
    assert.deepEqual(mesh.labels('web'), { version: 'v1', other: 'x' });
    assert.deepEqual(mesh.labels('waypoint'), { version: 'v1', other: 'y' });
  });

  it('come with a service that appears after its rule', () => {
    const store = new ObjectStore();
    store.apply([labelled, rule('one', { subsets: subsets('version') })].map(parse), []);
    const model = new ModelBuilder(store, DEFAULT_MESH_OPTIONS);
    assert.match(model.notes.get('DestinationRule/demo/one') ?? '', /no service has the host web\.demo/);
    store.apply([parse(service('web'))], []);
    assert.equal(model.notes.get('DestinationRule/demo/one'), undefined);
    assert.ok(model.waypointStores.get(WORKLOAD_LABELS_TYPE)?.get('Kubernetes//Pod/demo/web'));
    assert.ok(model.waypointStores.get(TRAFFIC_POLICIES_TYPE)?.get(trafficPoliciesName('', 'demo', HOST)));
  });
});

describe('a rule', () => {
  it('is about a ServiceEntry as well', () => {
    const entry = object('networking.istio.io/v1', 'ServiceEntry', 'api', {
      hosts: ['api.example.com'],
      ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
      resolution: 'STATIC',
      endpoints: [{ address: '192.0.2.1', labels: { version: 'v1' } }],
    });
    const mesh = new Mesh(entry);
    const subsets = [{ name: 'v1', labels: { version: 'v1' } }];
    mesh.add(rule('one', { host: 'api.example.com', trafficPolicy: limited(4), subsets }));
    assert.equal(mesh.policies('', 'api.example.com')?.policies[0]?.connectionPool?.maxRequests, 4);
    assert.equal([...(mesh.model.waypointStores.get(WORKLOAD_LABELS_TYPE)?.names() ?? [])].length, 1);
  });

  it('has a retry budget for a service, its ports and its subsets, which may have their own', () => {
    const connectionPool = { tcp: { maxConnections: 5 } };
    const subsets = [
      { name: 'a', labels: {}, trafficPolicy: { connectionPool } },
      { name: 'b', labels: {}, trafficPolicy: { retryBudget: { percent: 5, budgetInterval: '2s' } } },
    ];
    const ports = [{ port: { number: 80 }, connectionPool }];
    const trafficPolicy = { retryBudget: { minRetryConcurrency: 7 }, portLevelSettings: ports };
    const mesh = new Mesh(rule('one', { trafficPolicy, subsets }));
    const common = { percent: 20, minConcurrency: 7, intervalMs: 0 };
    const own = { percent: 5, minConcurrency: 3, intervalMs: 2000 };
    const found = mesh.policies()?.policies.map(({ port, subset, retryBudget }) => [port, subset, retryBudget]);
    assert.deepEqual(found, [
      [0, '', common],
      [80, '', common],
      [0, 'a', common],
      [80, 'a', common],
      [0, 'b', own],
      [80, 'b', own],
    ]);
    assert.equal(mesh.note('one'), undefined);
  });

  it('says what waypoints do not act on', () => {
    const trafficPolicy = { proxyProtocol: { version: 'V1' } };
    const mesh = new Mesh(rule('one', { trafficPolicy }));
    assert.equal(mesh.note('one'), 'waypoints do not act on proxyProtocol');
  });

  it('that is wrong is refused with the field', () => {
    const reading = readObject(rule('one', { trafficPolicy: {}, subsets: [{ labels: {} }], nonsense: 1 }), () => ({
      file: 'f',
      line: 1,
      column: 1,
    }));
    assert.equal(reading.kind, 'refused');
    const fields = reading.kind === 'refused' ? reading.problems.map(({ field }) => field) : [];
    assert.deepEqual(fields.sort(), ['spec.nonsense', 'spec.subsets[0].name', 'spec.trafficPolicy']);
  });
});
