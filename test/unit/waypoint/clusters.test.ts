import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MeshState, type StateChange } from '../../../src/mesh/mesh-state.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createService, serviceKey } from '../../../src/model/service.ts';
import { TRAFFIC_POLICIES_TYPE, trafficPoliciesName, WORKLOAD_LABELS_TYPE } from '../../../src/model/waypoint-feed.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { Algorithm, TrafficPolicies, WorkloadLabels } from '../../../src/proto/gen/ambit.ts';
import { type Cluster, Clusters } from '../../../src/waypoint/clusters.ts';
import type { PickRequest } from '../../../src/waypoint/pick-request.ts';
import { endpointId } from '../../../src/waypoint/session.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { detection, loadBalancer, pool, trafficPolicy } from '../../helpers/traffic-policies.ts';

const service = createService({ namespace: 'shop', hostname: 'cart.shop', ports: new Map([[80, 8080]]) });
const self = createWorkload({
  uid: 'waypoint',
  namespace: 'shop',
  locality: { region: 'r1', zone: 'z1', subzone: '' },
});
const NEW: PickRequest = { hashKey: undefined, avoid: new Set() };

function endpoint(uid: string, fields: Partial<Workload> = {}): StateChange {
  const address = `10.0.0.${uid.charCodeAt(0)}` as IpAddress;
  const services = new Map([[serviceKey(service), new Map([[80, 8080]])]]);
  return { kind: 'workload', workload: createWorkload({ uid, addresses: [address], services, ...fields }) };
}

class Fixture {
  readonly clock = new ManualClock();
  readonly state = new MeshState();
  readonly clusters = new Clusters({
    state: this.state,
    clock: this.clock,
    random: seededRandom(3),
    namespace: 'shop',
  });

  constructor(...uids: string[]) {
    this.state.apply([{ kind: 'service', service }, ...uids.map((uid) => endpoint(uid))]);
  }

  feed(policies: Partial<TrafficPolicies>, clientNamespace = ''): void {
    const { namespace, hostname } = service;
    const message = { namespace, hostname, clientNamespace, policies: [], subsets: [], ...policies };
    this.#apply(TRAFFIC_POLICIES_TYPE, [
      [trafficPoliciesName(clientNamespace, namespace, hostname), TrafficPolicies.encode(message).finish()],
    ]);
  }

  labels(uid: string, labels: Record<string, string>): void {
    const bytes = WorkloadLabels.encode({ uid, labels: new Map(Object.entries(labels)) }).finish();
    this.#apply(WORKLOAD_LABELS_TYPE, [[uid, bytes]]);
  }

  cluster(subset = '', port = 80): Cluster {
    const cluster = this.clusters.get({ service, port, subset });
    assert.ok(cluster);
    return cluster;
  }

  /** Where so many requests go that end well at once. */
  spread(picks: number, subset = '', request = NEW): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let pick = 0; pick < picks; pick++) {
      const picked = this.cluster(subset).pick(self, request);
      const uid = picked?.endpoint.workload.uid ?? 'nobody';
      counts[uid] = (counts[uid] ?? 0) + 1;
      picked?.done({ kind: 'status', status: 200 });
    }
    return counts;
  }

  /** Lets requests fail until the endpoint got so many. */
  fail(uid: string, times: number): void {
    for (let failed = 0; failed < times; ) {
      const picked = this.cluster().pick(self, NEW);
      assert.ok(picked);
      const isIt = picked.endpoint.workload.uid === uid;
      if (isIt) failed += 1;
      picked.done(isIt ? { kind: 'connect-failure' } : undefined);
    }
  }

  #apply(typeUrl: string, resources: readonly [string, Uint8Array][]): void {
    const handler = this.clusters.handlers().find((one) => one.typeUrl === typeUrl);
    const refused = handler?.apply(
      resources.map(([name, bytes]) => ({ name, version: '', aliases: [], bytes })),
      [],
    );
    assert.deepEqual(refused, []);
  }
}

describe('an endpoint that a client names', () => {
  const idOf = (uid: string) => endpointId({ workload: createWorkload({ uid }), service });
  const named = (mesh: Fixture, uid: string, subset = '') =>
    Object.keys(mesh.spread(20, subset, { ...NEW, endpointId: idOf(uid) })).sort();

  it('is picked as long as it is there, also when it drains or is not ready', () => {
    const mesh = new Fixture('a', 'b', 'c');
    assert.deepEqual(named(mesh, 'b'), ['b']);
    mesh.state.apply([endpoint('b', { status: 'Unhealthy' })]);
    assert.deepEqual(named(mesh, 'b'), ['b']);
    assert.equal(mesh.spread(50)['b'], undefined);
    mesh.state.apply([{ kind: 'remove-address', name: 'b' }]);
    assert.deepEqual(named(mesh, 'b'), ['a', 'c']);
  });

  it('is picked only of the endpoints of its cluster', () => {
    const mesh = new Fixture('a', 'b');
    mesh.labels('a', { version: 'v1' });
    mesh.labels('b', { version: 'v2' });
    mesh.feed({ subsets: [{ name: 'v1', labels: new Map([['version', 'v1']]) }] });
    assert.deepEqual(named(mesh, 'b', 'v1'), ['a']);
    assert.deepEqual(
      [mesh.cluster('v1').holds(self, idOf('a')), mesh.cluster('v1').holds(self, idOf('b'))],
      [true, false],
    );
    const other = createService({ namespace: 'shop', hostname: 'other.shop' });
    const foreign = endpointId({ workload: createWorkload({ uid: 'a' }), service: other });
    assert.equal(mesh.cluster().holds(self, foreign), false);
  });

  it('is not picked while it is ejected', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({ policies: [trafficPolicy({ outlierDetection: detection({ maxEjectionPercent: 100 }) })] });
    assert.deepEqual(named(mesh, 'a'), ['a']);
    mesh.fail('a', 5);
    assert.deepEqual(named(mesh, 'a'), ['b']);
  });
});

describe('retries', () => {
  it('are as many as the budget gives', () => {
    const mesh = new Fixture('a');
    const retryBudget = { percent: 50, minConcurrency: 1, intervalMs: 0 };
    const connectionPool = pool({ maxRetries: 1 });
    mesh.feed({ policies: [trafficPolicy({ retryBudget, connectionPool })] });
    const requests = Array.from({ length: 4 }, () => mesh.cluster().admitRequest());
    const first = mesh.cluster().admitRetry();
    assert.ok(first && mesh.cluster().admitRetry());
    assert.equal(mesh.cluster().admitRetry(), undefined);
    for (const request of requests) request?.release();
    first.release();
    assert.equal(mesh.cluster().admitRetry(), undefined);
  });

  it('go to other localities while there are some, and to all again when none is left', () => {
    const mesh = new Fixture();
    const near = { locality: { region: 'r1', zone: 'z1', subzone: '' } };
    const far = { locality: { region: 'r2', zone: 'z1', subzone: '' } };
    mesh.state.apply([endpoint('a', near), endpoint('b', far)]);
    const policy = { loadBalancer: loadBalancer({ localityFailover: true }), outlierDetection: detection({}) };
    mesh.feed({ policies: [trafficPolicy(policy)] });
    const leaving = (...leave: number[]) => mesh.spread(20, '', { ...NEW, leave: new Set(leave) });
    assert.deepEqual(leaving(), { a: 20 });
    assert.deepEqual(leaving(0), { b: 20 });
    assert.deepEqual(leaving(1), { a: 20 });
    assert.deepEqual(leaving(0, 1), { a: 20 });
    assert.equal(mesh.cluster().pick(self, { ...NEW, leave: new Set([0]) })?.priority, 1);
    mesh.fail('a', 5);
    assert.deepEqual(leaving(1), { b: 20 });
  });
});

describe('a service without a policy', () => {
  it('is balanced by least request, on the ports of its endpoints', () => {
    const mesh = new Fixture('a', 'b');
    const busy = mesh.cluster().pick(self, NEW)!;
    assert.equal(busy.endpoint.port, 8080);
    const { uid } = busy.endpoint.workload;
    const counts = mesh.spread(2000);
    // Two draws of the same host are a quarter.
    assert.ok((counts[uid] ?? 0) < 600);
    busy.done(undefined);
    busy.done(undefined);
    for (const count of Object.values(mesh.spread(2000))) assert.ok(count > 850);
  });

  it('has no upstream without endpoints that are ready', () => {
    const mesh = new Fixture();
    assert.equal(mesh.cluster().pick(self, NEW), undefined);
    mesh.state.apply([endpoint('a', { status: 'Unhealthy' })]);
    assert.equal(mesh.cluster().pick(self, NEW), undefined);
    mesh.state.apply([endpoint('a')]);
    assert.ok(mesh.cluster().pick(self, NEW));
  });

  it('keeps to the nearest endpoints where the service says so', () => {
    const mesh = new Fixture();
    const near = createService({
      ...service,
      loadBalancer: { mode: 'Failover', routingPreferences: ['Zone'], healthPolicy: 'OnlyHealthy' },
    });
    mesh.state.apply([endpoint('a', { locality: self.locality }), endpoint('b')]);
    const cluster = mesh.clusters.get({ service: near, port: 80, subset: '' });
    for (let pick = 0; pick < 50; pick++) assert.equal(cluster?.pick(self, NEW)?.endpoint.workload.uid, 'a');
  });

  it('gives a retry another endpoint while there is one', () => {
    const mesh = new Fixture('a', 'b');
    assert.deepEqual(mesh.spread(50, '', { hashKey: undefined, avoid: new Set(['a']) }), { b: 50 });
    assert.equal(
      Object.keys(mesh.spread(50, '', { hashKey: undefined, avoid: new Set(['a', 'b']) })).includes('nobody'),
      false,
    );
  });

  it('admits everything', () => {
    const mesh = new Fixture('a');
    for (let count = 0; count < 100; count++) assert.ok(mesh.cluster().admitRequest());
  });
});

describe('policies', () => {
  it('of the waypoint namespace win over those for all', () => {
    const mesh = new Fixture('a');
    mesh.feed({ policies: [trafficPolicy({ connectionPool: pool({ maxRequests: 1 }) })] });
    mesh.feed({ policies: [trafficPolicy({ connectionPool: pool({ maxRequests: 2 }) })] }, 'shop');
    mesh.feed({ policies: [trafficPolicy({ connectionPool: pool({ maxRequests: 3 }) })] }, 'other');
    assert.equal(mesh.cluster().policy?.connectionPool?.maxRequests, 2);
  });

  it('hold for the port and subset that they name, else for the subset, else for the port', () => {
    const mesh = new Fixture('a');
    const policies = [
      [0, ''],
      [80, ''],
      [0, 'v1'],
      [80, 'v1'],
    ] as const;
    mesh.feed({
      policies: policies.map(([port, subset]) => trafficPolicy({ port, subset })),
      subsets: ['v1', 'v2'].map((name) => ({ name, labels: new Map() })),
    });
    const named = (subset: string, port: number) => {
      const policy = mesh.cluster(subset, port).policy;
      return [policy?.port, policy?.subset];
    };
    assert.deepEqual(named('v1', 80), [80, 'v1']);
    assert.deepEqual(named('v1', 81), [0, 'v1']);
    assert.deepEqual(named('v2', 80), [80, '']);
    assert.deepEqual(named('', 81), [0, '']);
  });

  it('limit requests and retries', () => {
    const mesh = new Fixture('a');
    mesh.feed({ policies: [trafficPolicy({ connectionPool: pool({ maxRequests: 1, maxRetries: 1 }) })] });
    const permit = mesh.cluster().admitRequest();
    assert.ok(permit);
    assert.equal(mesh.cluster().admitRequest(), undefined);
    assert.ok(mesh.cluster().admitRetry());
    assert.equal(mesh.cluster().admitRetry(), undefined);
    permit.release();
    assert.ok(mesh.cluster().admitRequest());
  });

  it('that stay the same are the same object after another push', () => {
    const mesh = new Fixture('a');
    const policies = [trafficPolicy({ connectionPool: pool({ maxRequests: 1 }) })];
    mesh.feed({ policies });
    const { policy } = mesh.cluster();
    mesh.feed({ policies, subsets: [{ name: 'v1', labels: new Map() }] });
    assert.equal(mesh.cluster().policy, policy);
    mesh.feed({ policies: [trafficPolicy({ connectionPool: pool({ maxRequests: 2 }) })] });
    assert.notEqual(mesh.cluster().policy, policy);
  });

  it('by hash keep a key where it is, also when it failed there', () => {
    const mesh = new Fixture('a', 'b', 'c');
    mesh.feed({ policies: [trafficPolicy({ loadBalancer: loadBalancer({ algorithm: Algorithm.RING_HASH }) })] });
    const first = mesh.spread(20, '', { hashKey: 'ann', avoid: new Set() });
    assert.equal(Object.keys(first).length, 1);
    assert.deepEqual(mesh.spread(20, '', { hashKey: 'ann', avoid: new Set(Object.keys(first)) }), first);
    assert.equal(Object.keys(mesh.spread(200)).length, 3);
  });

  it('warm up endpoints that come later, not those of the beginning', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({
      policies: [trafficPolicy({ loadBalancer: loadBalancer({ warmupMs: 60_000, warmupMinimumPercent: 10 }) })],
    });
    for (const count of Object.values(mesh.spread(1000))) assert.ok(count > 400);
    mesh.state.apply([endpoint('c')]);
    assert.ok((mesh.spread(1000)['c'] ?? 0) < 120);
    mesh.clock.advance(60_000);
    assert.ok((mesh.spread(1000)['c'] ?? 0) > 260);
  });
});

describe('subsets', () => {
  const subsets = [{ name: 'v2', labels: new Map([['version', 'v2']]) }];

  it('that are not there have no cluster', () => {
    const mesh = new Fixture('a');
    assert.equal(mesh.clusters.get({ service, port: 80, subset: 'v2' }), undefined);
    mesh.feed({ subsets });
    assert.ok(mesh.clusters.get({ service, port: 80, subset: 'v2' }));
    mesh.feed({});
    mesh.clock.advance(5000);
    assert.equal(mesh.clusters.get({ service, port: 80, subset: 'v2' }), undefined);
  });

  it('that go are found a while longer, as routes may still name them', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({ subsets });
    mesh.labels('a', { version: 'v2' });
    mesh.feed({});
    assert.deepEqual(mesh.spread(5, 'v2'), { a: 5 });
  });

  it('follow the labels of endpoints', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({ subsets });
    assert.deepEqual(mesh.spread(5, 'v2'), { nobody: 5 });
    mesh.labels('a', { version: 'v2' });
    assert.deepEqual(mesh.spread(5, 'v2'), { a: 5 });
    mesh.labels('b', { version: 'v2' });
    mesh.labels('a', { version: 'v1' });
    assert.deepEqual(mesh.spread(5, 'v2'), { b: 5 });
  });

  it('follow their own change', () => {
    const mesh = new Fixture('a', 'b');
    mesh.labels('a', { version: 'v2' });
    mesh.labels('b', { version: 'v3' });
    mesh.feed({ subsets });
    assert.deepEqual(mesh.spread(5, 'v2'), { a: 5 });
    mesh.feed({ subsets: [{ name: 'v2', labels: new Map([['version', 'v3']]) }] });
    assert.deepEqual(mesh.spread(5, 'v2'), { b: 5 });
  });
});

describe('failing endpoints', () => {
  const outlierDetection = detection({ consecutive5xx: 3, maxEjectionPercent: 100 });

  it('are left out for a while', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({ policies: [trafficPolicy({ outlierDetection })] });
    mesh.fail('a', 3);
    assert.deepEqual(mesh.spread(50), { b: 50 });
    mesh.clock.advance(40_000);
    assert.ok((mesh.spread(50)['a'] ?? 0) > 0);
  });

  it('lose their keys only, by ring hash, and get them back', () => {
    const mesh = new Fixture('a', 'b', 'c');
    const balancer = loadBalancer({ algorithm: Algorithm.RING_HASH });
    mesh.feed({ policies: [trafficPolicy({ outlierDetection, loadBalancer: balancer })] });
    const keys = Array.from({ length: 200 }, (_, index) => `user-${index}`);
    const owners = () => keys.map((hashKey) => Object.keys(mesh.spread(1, '', { hashKey, avoid: new Set() }))[0]);
    const before = owners();
    mesh.fail('a', 3);
    const after = owners();
    assert.equal(after.includes('a'), false);
    for (const [index, owner] of before.entries()) if (owner !== 'a') assert.equal(after[index], owner);
    mesh.clock.advance(40_000);
    assert.deepEqual(owners(), before);
  });

  it('stay out when something else changes', () => {
    const mesh = new Fixture('a', 'b');
    mesh.feed({ policies: [trafficPolicy({ outlierDetection })] });
    mesh.fail('a', 3);
    mesh.state.apply([endpoint('c')]);
    mesh.feed({ policies: [trafficPolicy({ outlierDetection })], subsets: [{ name: 'v9', labels: new Map() }] });
    assert.equal(mesh.spread(50)['a'], undefined);
  });

  it('leave nobody when all failed, unless panic lets them all in', () => {
    const mesh = new Fixture('a');
    mesh.feed({ policies: [trafficPolicy({ outlierDetection })] });
    mesh.fail('a', 3);
    assert.deepEqual(mesh.spread(3), { nobody: 3 });
    mesh.feed({ policies: [trafficPolicy({ outlierDetection: { ...outlierDetection, minHealthPercent: 50 } })] });
    assert.deepEqual(mesh.spread(3), { a: 3 });
  });

  it('hand over to the next locality step by step', () => {
    const mesh = new Fixture();
    const here = { locality: self.locality };
    const far = { locality: { region: 'r2', zone: 'z9', subzone: '' } };
    mesh.state.apply([endpoint('a', here), endpoint('b', here), endpoint('x', far)]);
    const balancer = loadBalancer({ localityFailover: true });
    mesh.feed({ policies: [trafficPolicy({ outlierDetection, loadBalancer: balancer })] });
    assert.equal(mesh.spread(200)['x'], undefined);
    mesh.fail('a', 3);
    const counts = mesh.spread(1000);
    // Half of two, with reserve: 70 percent stay.
    assert.ok((counts['b'] ?? 0) > 630 && (counts['b'] ?? 0) < 770, JSON.stringify(counts));
    assert.equal(counts['a'], undefined);
  });
});

describe('localities', () => {
  it('get the shares that a distribution says, and nothing without one', () => {
    const mesh = new Fixture();
    const at = (region: string, zone: string) => ({ locality: { region, zone, subzone: '' } });
    mesh.state.apply([
      endpoint('a', at('r1', 'z1')),
      endpoint('b', at('r1', 'z2')),
      endpoint('c', at('r1', 'z2')),
      endpoint('d', at('r2', 'z1')),
    ]);
    const to = new Map([
      ['r1/z1/*', 80],
      ['r1/z2/*', 20],
    ]);
    const balancer = loadBalancer({ algorithm: Algorithm.ROUND_ROBIN, distribute: [{ from: 'r1/*', to }] });
    mesh.feed({ policies: [trafficPolicy({ loadBalancer: balancer })] });
    const counts = mesh.spread(1000);
    assert.ok(Math.abs((counts['a'] ?? 0) - 800) < 20);
    assert.ok(Math.abs((counts['b'] ?? 0) - 100) < 20);
    assert.equal(counts['d'], undefined);
  });

  it('are ranked by labels where a priority of labels is given', () => {
    const mesh = new Fixture('a', 'b');
    const balancer = loadBalancer({ failoverPriority: ['tier=gold'], localityFailover: true });
    mesh.feed({ policies: [trafficPolicy({ outlierDetection: detection({}), loadBalancer: balancer })] });
    mesh.labels('b', { tier: 'gold' });
    assert.deepEqual(mesh.spread(50), { b: 50 });
  });
});

describe('clusters that nobody uses', () => {
  it('are forgotten, unless requests are under way', () => {
    const mesh = new Fixture('a');
    mesh.cluster('', 80).pick(self, NEW);
    mesh.cluster('', 81);
    mesh.clock.advance(2_000_000);
    mesh.cluster('', 82);
    assert.equal(mesh.clusters.size, 2);
  });
});
