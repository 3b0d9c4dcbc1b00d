import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MeshState, type StateChange } from '../../../src/mesh/mesh-state.ts';
import { parseCidr, parseIpAddress } from '../../../src/model/address.ts';
import type { AuthorizationPolicy } from '../../../src/model/policy.ts';
import { createService, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';

const ip = (text: string) => parseIpAddress(text) ?? assert.fail(text);
const IPS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'].map(ip);
const HOSTS = ['one.example', 'two.example'];
const KEYS = ['a/one.example', 'a/two.example', 'b/one.example', 'b/two.example'];
const UIDS = ['c//Pod/a/p', 'c//Pod/a/q', 'c/WorkloadEntry/a/r', 'a/one.example'];
const POLICIES = ['a/deny', 'b/allow'];

const workload: fc.Arbitrary<Workload> = fc
  .record({
    uid: fc.constantFrom(...UIDS),
    name: fc.constantFrom('p', 'q'),
    namespace: fc.constantFrom('a', 'b'),
    network: fc.constantFrom('', 'far'),
    addresses: fc.uniqueArray(fc.constantFrom(...IPS), { maxLength: 2 }),
    hostname: fc.constantFrom('', 'dns.example'),
    networkMode: fc.constantFrom('Standard' as const, 'HostNetwork' as const),
    protocol: fc.constantFrom('HBONE' as const, 'TCP' as const),
    services: fc
      .uniqueArray(fc.constantFrom(...KEYS), { maxLength: 2 })
      .map((keys) => new Map(keys.map((key) => [key, new Map([[80, 8080]])]))),
    authorizationPolicies: fc.uniqueArray(fc.constantFrom(...POLICIES)),
  })
  .map(createWorkload);
const service: fc.Arbitrary<Service> = fc
  .record({
    namespace: fc.constantFrom('a', 'b'),
    hostname: fc.constantFrom(...HOSTS),
    vips: fc
      .uniqueArray(fc.constantFrom(...IPS), { maxLength: 2 })
      .map((list) => list.map((address) => ({ network: '', address }))),
    cidrVips: fc
      .uniqueArray(fc.constantFrom('10.0.0.0/24', '10.0.0.2/31', 'fd00::/8'), { maxLength: 2 })
      .map((list) => list.map((text) => ({ network: '', cidr: parseCidr(text) ?? assert.fail(text) }))),
    canonical: fc.boolean(),
  })
  .map(createService);
const policy: fc.Arbitrary<AuthorizationPolicy> = fc
  .tuple(
    fc.constantFrom(...POLICIES),
    fc.constantFrom('Global' as const, 'Namespace' as const, 'WorkloadSelector' as const),
  )
  .map(([key, scope]) => {
    const [namespace = '', name = ''] = key.split('/');
    return { name, namespace, scope, action: 'Deny', rules: [], dryRun: false };
  });
const change: fc.Arbitrary<StateChange> = fc.oneof(
  workload.map((one) => ({ kind: 'workload', workload: one }) as const),
  service.map((one) => ({ kind: 'service', service: one }) as const),
  policy.map((one) => ({ kind: 'policy', policy: one }) as const),
  fc.constantFrom(...UIDS, ...KEYS).map((name) => ({ kind: 'remove-address', name }) as const),
  fc.constantFrom(...POLICIES).map((name) => ({ kind: 'remove-policy', name }) as const),
);

/** Everything that can be asked, order aside. */
function observe(state: MeshState): unknown {
  const sorted = <T>(values: Iterable<T>, key: (value: T) => string) => [...values].map(key).sort();
  const uid = (one: Workload) => one.uid;
  const serviceName = (one: Service) => `${one.namespace}/${one.hostname}`;
  return {
    workloads: sorted(state.workloads(), (one) => JSON.stringify({ ...one, services: [...one.services.keys()] })),
    services: sorted(state.services(), (one) => JSON.stringify({ ...one, ports: [] })),
    policies: sorted(state.policies(), (one) => JSON.stringify(one)),
    byHostname: sorted(state.workloadsByHostname('dns.example'), uid),
    byName: ['a/p', 'a/q', 'b/p', 'b/q'].map((name) =>
      sorted(state.workloadsByName(name.slice(0, 1), name.slice(2)), uid),
    ),
    hosts: HOSTS.map((host) => sorted(state.servicesByHostname(host), serviceName)),
    owned: IPS.map((address) => {
      const owner = state.workloadByAddress('', address);
      return [owner?.uid.includes('//Pod/'), owner?.protocol];
    }),
    vips: IPS.map((address) => sorted(state.servicesByVip('', address), serviceName)),
    blocks: IPS.map((address) =>
      sorted(state.servicesByCidr('', address), (one) => `${serviceName(one.service)}/${one.prefixLength}`),
    ),
    endpoints: KEYS.map((key) => [...state.endpoints(key).keys()].sort()),
    staged: [...state.stagedEndpoints()].map(([key]) => key).sort(),
    inForce: UIDS.map((id) => {
      const one = state.workload(id);
      if (one === undefined) return undefined;
      const { policies, missing } = state.policiesFor(one);
      return [sorted(policies, ({ namespace, name }) => `${namespace}/${name}`), [...missing].sort()];
    }),
  };
}

describe('the state of the mesh', () => {
  it('is the same after any sequence of pushes as when it is built at once from what is left', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }), (pushes) => {
        const state = new MeshState();
        for (const push of pushes) state.apply(push);
        const fresh = new MeshState();
        fresh.apply([
          ...[...state.policies()].map((one) => ({ kind: 'policy', policy: one }) as const),
          ...[...state.workloads()].map((one) => ({ kind: 'workload', workload: one }) as const),
          ...[...state.services()].map((one) => ({ kind: 'service', service: one }) as const),
        ]);
        assert.deepEqual(observe(state), observe(fresh));
      }),
      { numRuns: 500 },
    );
  });

  it('is empty again when everything was removed', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const state = new MeshState();
        state.apply(changes);
        const names = [...UIDS, ...KEYS, ...KEYS];
        for (const name of names) state.apply([{ kind: 'remove-address', name }]);
        state.apply(POLICIES.map((name) => ({ kind: 'remove-policy', name }) as const));
        assert.deepEqual(observe(state), observe(new MeshState()));
        for (const key of KEYS) assert.equal(state.revision(key), 0);
      }),
      { numRuns: 300 },
    );
  });

  const pod = createWorkload({ uid: 'c//Pod/a/p', services: new Map([['a/one.example', new Map([[80, 8080]])]]) });
  const one = createService({ namespace: 'a', hostname: 'one.example' });

  it('keeps endpoints that came before their service', () => {
    const state = new MeshState();
    state.apply([{ kind: 'workload', workload: pod }]);
    assert.deepEqual(
      [...state.stagedEndpoints()].map(([key]) => key),
      ['a/one.example'],
    );
    state.apply([{ kind: 'service', service: one }]);
    assert.deepEqual([...state.stagedEndpoints()], []);
    assert.equal(state.endpoints('a/one.example').get(pod.uid)?.ports.get(80), 8080);
  });

  it('keeps endpoints while their service is replaced or removed', () => {
    const state = new MeshState();
    state.apply([
      { kind: 'service', service: one },
      { kind: 'workload', workload: pod },
    ]);
    state.apply([{ kind: 'service', service: { ...one, canonical: true } }]);
    assert.equal(state.endpoints('a/one.example').size, 1);
    state.apply([{ kind: 'remove-address', name: 'a/one.example' }]);
    assert.equal(state.service('a/one.example'), undefined);
    assert.equal(state.endpoints('a/one.example').size, 1);
  });

  it('takes a removed name for a workload first, and for a service only when there is no such workload', () => {
    const state = new MeshState();
    const twin = createWorkload({ uid: 'a/one.example' });
    state.apply([
      { kind: 'service', service: one },
      { kind: 'workload', workload: twin },
    ]);
    state.apply([{ kind: 'remove-address', name: 'a/one.example' }]);
    assert.equal(state.workload('a/one.example'), undefined);
    assert.ok(state.service('a/one.example'));
    state.apply([{ kind: 'remove-address', name: 'a/one.example' }]);
    assert.equal(state.service('a/one.example'), undefined);
  });

  it('removes before it inserts within one push', () => {
    const state = new MeshState();
    state.apply([{ kind: 'workload', workload: pod }]);
    state.apply([
      { kind: 'workload', workload: pod },
      { kind: 'remove-address', name: pod.uid },
    ]);
    assert.ok(state.workload(pod.uid));
  });

  it('gives an address to the pod before other kinds, and to the tunnel before plain TCP', () => {
    const state = new MeshState();
    const at = { addresses: [ip('10.0.0.1')] };
    const entry = createWorkload({ uid: 'c/WorkloadEntry/a/e', protocol: 'HBONE', ...at });
    const plain = createWorkload({ uid: 'c//Pod/a/plain', ...at });
    const tunnelled = createWorkload({ uid: 'c//Pod/a/tunnelled', protocol: 'HBONE', ...at });
    const onHost = createWorkload({ uid: 'c//Pod/a/host', protocol: 'HBONE', networkMode: 'HostNetwork', ...at });
    const owner = () => state.workloadByAddress('', ip('10.0.0.1'))?.uid;
    state.apply([{ kind: 'workload', workload: onHost }]);
    assert.equal(owner(), undefined);
    state.apply([{ kind: 'workload', workload: entry }]);
    assert.equal(owner(), entry.uid);
    state.apply([{ kind: 'workload', workload: plain }]);
    assert.equal(owner(), plain.uid);
    state.apply([{ kind: 'workload', workload: tunnelled }]);
    assert.equal(owner(), tunnelled.uid);
  });

  it('tells listeners of each push once, after it is applied', () => {
    const state = new MeshState();
    const seen: number[] = [];
    const stop = state.onChange((changes) => seen.push(changes.length + (state.workload(pod.uid) ? 100 : 0)));
    state.apply([{ kind: 'workload', workload: pod }]);
    stop();
    state.apply([]);
    assert.deepEqual(seen, [101]);
  });
});
