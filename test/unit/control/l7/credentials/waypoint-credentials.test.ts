import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_MESH_OPTIONS } from '../../../../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../../../../src/control/model-builder.ts';
import { ObjectStore } from '../../../../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../../../src/model/manifest/read-object.ts';
import { TRAFFIC_POLICIES_TYPE, trafficPoliciesName } from '../../../../../src/model/waypoint-feed.ts';
import { Credential, TrafficPolicies } from '../../../../../src/proto/gen/ambit.ts';
import { object, service } from '../../../../helpers/manifests.ts';
import { createTestCa } from '../../../../helpers/test-ca.ts';

const ca = createTestCa();
const leaf = ca.leaf();
const TLS = { 'tls.crt': leaf.certPem, 'tls.key': leaf.keyPem, 'ca.crt': ca.rootPem };

function parse(raw: unknown): ManifestObject {
  const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  return reading.object;
}

function gateway(namespace: string, name = 'gate', gatewayClassName = 'istio-waypoint'): unknown {
  return object('gateway.networking.k8s.io/v1', 'Gateway', name, { gatewayClassName }, { namespace });
}

function secret(namespace: string, stringData: object = TLS, name = 'client'): unknown {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData };
}

function rule(namespace: string, tls: object = {}, spec: object = {}, name = 'web'): unknown {
  const trafficPolicy = { tls: { mode: 'MUTUAL', credentialName: 'client', ...tls } };
  const host = 'web.demo.svc.cluster.local';
  return object('networking.istio.io/v1', 'DestinationRule', name, { host, trafficPolicy, ...spec }, { namespace });
}

function grant(from: string, to: string, name?: string): unknown {
  const spec = {
    from: [{ group: 'networking.istio.io', kind: 'DestinationRule', namespace: from }],
    to: [{ group: '', kind: 'Secret', ...(name && { name }) }],
  };
  return object('gateway.networking.k8s.io/v1', 'ReferenceGrant', 'grant', spec, { namespace: to });
}

class Mesh {
  readonly store = new ObjectStore();
  readonly model: ModelBuilder;
  wanted: readonly string[] = [];

  constructor(...objects: readonly unknown[]) {
    this.add(service('web'), ...objects);
    this.model = new ModelBuilder(this.store, DEFAULT_MESH_OPTIONS);
    this.model.followWantedSecrets((names) => {
      this.wanted = [...names].sort();
    });
  }

  add(...objects: readonly unknown[]): void {
    this.store.apply(objects.map(parse), []);
  }

  remove(raw: unknown): void {
    this.store.apply([], [keyOf(parse(raw))]);
  }

  /** What a stream of the caller sees, by name. */
  seenBy(caller: string): Record<string, Credential> {
    const { store, close } = this.model.credentials.open(caller);
    const entries = [...store.names()].map((name) => [
      name,
      Credential.decode(store.get(name)?.value ?? assert.fail()),
    ]);
    close();
    return Object.fromEntries(entries);
  }

  note(namespace = 'demo'): string | undefined {
    return this.model.notes.get(`DestinationRule/${namespace}/web`);
  }
}

const NAME = 'mutual/demo/client';
const GOOD = {
  problem: '',
  certificate: leaf.certPem.trim(),
  key: leaf.keyPem,
  ca: ca.rootPem.trim(),
  crl: '',
  caProblem: '',
};

describe('a Secret that a rule names', () => {
  it('is seen by waypoints of its namespace, and by nobody else', () => {
    const mesh = new Mesh(gateway('demo'), gateway('other'), secret('demo'), secret('other'), rule('demo'));
    assert.deepEqual(mesh.seenBy('demo/gate'), { [NAME]: GOOD });
    for (const caller of ['demo/web', 'demo/default', 'other/gate', 'istio-system/ztunnel', '', 'demo', 'demo/']) {
      assert.deepEqual(mesh.seenBy(caller), {}, caller);
    }
    assert.equal(mesh.note(), undefined);
  });

  it('is not seen by the account of a Gateway that is no waypoint', () => {
    const mesh = new Mesh(gateway('demo'), gateway('demo', 'edge', 'istio'), secret('demo'), rule('demo'));
    assert.deepEqual(mesh.seenBy('demo/edge'), {});
  });

  it('is looked for alone, and no other Secret is', () => {
    const mesh = new Mesh(gateway('demo'), secret('demo'), secret('demo', TLS, 'other'), rule('demo'));
    assert.deepEqual(mesh.wanted, ['demo/client']);
    assert.deepEqual(Object.keys(mesh.seenBy('demo/gate')), [NAME]);
    mesh.remove(rule('demo'));
    assert.deepEqual([mesh.wanted, mesh.seenBy('demo/gate')], [[], {}]);
  });

  it('keeps its key to itself where the rule shows no certificate', () => {
    const mesh = new Mesh(gateway('demo'), secret('demo'), rule('demo', { mode: 'SIMPLE' }));
    assert.deepEqual(mesh.seenBy('demo/gate'), { 'simple/demo/client': { ...GOOD, certificate: '', key: '' } });
  });

  it('may have its authority in a second one', () => {
    const { 'ca.crt': _, ...own } = TLS;
    const mesh = new Mesh(gateway('demo'), secret('demo', own), rule('demo'));
    assert.deepEqual(mesh.wanted, ['demo/client', 'demo/client-cacert']);
    assert.equal(mesh.note(), 'spec.trafficPolicy.tls.credentialName: Secret demo/client has no ca.crt or cacert');
    mesh.add(secret('demo', { cacert: ca.rootPem }, 'client-cacert'));
    assert.deepEqual(mesh.seenBy('demo/gate'), { [NAME]: GOOD });
    assert.equal(mesh.note(), undefined);
  });

  it('passes on certificates, and nothing that stands next to them', () => {
    const mixed = { ...TLS, 'ca.crt': `${leaf.keyPem}\n${ca.rootPem}` };
    const mesh = new Mesh(gateway('demo'), secret('demo', mixed), rule('demo', { mode: 'SIMPLE' }));
    assert.equal(mesh.seenBy('demo/gate')['simple/demo/client']?.ca, GOOD.ca);
  });

  for (const [what, data, problem] of [
    ['is not there', undefined, 'does not exist, or the control plane may not read it'],
    ['has no key', { ...TLS, 'tls.key': '' }, 'has no tls.key or key'],
    ['has another key', { ...TLS, 'tls.key': ca.leaf().keyPem }, 'has a key that is not of its certificate'],
    ['has a key that is none', { ...TLS, 'tls.key': 'hunter2' }, 'has in tls.key or key no private key in PEM'],
    [
      'has a certificate that is none',
      { ...TLS, 'tls.crt': 'hunter2' },
      'has in tls.crt or cert no certificate in PEM',
    ],
  ] as const) {
    it(`that ${what} is said to be so, to its waypoint and with the rule, in words without content`, () => {
      const mesh = new Mesh(gateway('demo'), rule('demo'), ...(data === undefined ? [] : [secret('demo', data)]));
      const seen = mesh.seenBy('demo/gate')[NAME] ?? assert.fail('nothing is seen');
      assert.ok(seen.problem.includes(problem), seen.problem);
      assert.deepEqual({ ...seen, problem: '' }, { ...GOOD, certificate: '', key: '', ca: '' });
      assert.equal(mesh.note(), `spec.trafficPolicy.tls.credentialName: ${seen.problem}`);
      assert.doesNotMatch(seen.problem, /hunter2/);
    });
  }

  it('needs the permission of its namespace for rules of others', () => {
    const mesh = new Mesh(gateway('gates'), secret('gates'), rule('demo'));
    assert.deepEqual([mesh.seenBy('gates/gate'), mesh.wanted], [{}, []]);
    assert.match(mesh.note() ?? '', /no waypoint gets Secret "client": namespace demo has none, and no ReferenceGrant/);
    mesh.add(grant('other', 'gates'));
    assert.deepEqual(mesh.seenBy('gates/gate'), {});
    mesh.add(grant('demo', 'gates', 'unlike'));
    assert.deepEqual(mesh.seenBy('gates/gate'), {});
    mesh.add(grant('demo', 'gates', 'client'));
    assert.deepEqual([mesh.seenBy('gates/gate'), mesh.note()], [{ [NAME]: GOOD }, undefined]);
    mesh.remove(grant('demo', 'gates'));
    assert.deepEqual(mesh.seenBy('gates/gate'), {});
  });

  it('is never taken for that of another rule', () => {
    const mesh = new Mesh(gateway('gates'), secret('gates'), rule('demo'), rule('gates'));
    assert.deepEqual(Object.keys(mesh.seenBy('gates/gate')), ['mutual/gates/client']);
  });

  it('that a rule of the root namespace names is each namespace its own', () => {
    const other = ca.leaf();
    const own = secret('other', { ...TLS, 'tls.crt': other.certPem, 'tls.key': other.keyPem });
    const mesh = new Mesh(gateway('demo'), gateway('other'), secret('demo'), own, rule('istio-system'));
    assert.equal(mesh.seenBy('demo/gate')['mutual/istio-system/client']?.key, leaf.keyPem);
    assert.equal(mesh.seenBy('other/gate')['mutual/istio-system/client']?.key, other.keyPem);
  });

  it('is not seen where its rule is not', () => {
    const hidden = rule('istio-system', {}, { exportTo: ['demo'] });
    const mesh = new Mesh(gateway('demo'), gateway('other'), secret('demo'), secret('other'), hidden);
    assert.deepEqual([Object.keys(mesh.seenBy('demo/gate')).length, mesh.seenBy('other/gate')], [1, {}]);
  });

  it('reaches streams that are open when it comes, changes and goes with its Gateway', () => {
    const mesh = new Mesh(rule('demo'), secret('demo'));
    const { store, close } = mesh.model.credentials.open('demo/gate');
    assert.equal(store.size, 0);
    mesh.add(gateway('demo'));
    const first = store.get(NAME)?.version;
    assert.ok(first);
    const next = ca.leaf();
    mesh.add(secret('demo', { ...TLS, 'tls.crt': next.certPem, 'tls.key': next.keyPem }));
    assert.notEqual(store.get(NAME)?.version, first);
    mesh.remove(gateway('demo'));
    assert.equal(store.size, 0);
    close();
    mesh.add(gateway('demo'));
    assert.equal(store.size, 0, 'a stream that is over holds nothing');
  });

  it('is in no resource that everybody sees', () => {
    const mesh = new Mesh(gateway('demo'), secret('demo'), rule('demo'));
    const policies = mesh.model.waypointStores.get(TRAFFIC_POLICIES_TYPE);
    const bytes = policies?.get(trafficPoliciesName('', 'demo', 'web.demo.svc.cluster.local'))?.value;
    const tls = TrafficPolicies.decode(bytes ?? assert.fail()).policies[0]?.tls;
    assert.deepEqual([tls?.credential, tls?.files], [NAME, undefined]);
    const secretText = leaf.keyPem.split('\n')[1] ?? assert.fail();
    for (const store of [mesh.model.addresses, mesh.model.workloads, ...mesh.model.waypointStores.values()]) {
      for (const name of store.names()) assert.ok(!store.get(name)?.value.toString('latin1').includes(secretText));
    }
  });
});

describe('files that a rule names', () => {
  const filesOf = (namespace: string, tls: object) => {
    const mesh = new Mesh(rule(namespace, { credentialName: undefined, ...tls }));
    const bytes = mesh.model.waypointStores.get(TRAFFIC_POLICIES_TYPE);
    const held = bytes?.get(trafficPoliciesName('', 'demo', 'web.demo.svc.cluster.local'))?.value ?? assert.fail();
    return TrafficPolicies.decode(held).policies[0]?.tls?.files;
  };
  const PATHS = { clientCertificate: '/c', privateKey: '/k', caCertificates: '/ca', caCrl: '/crl' };

  it('are for waypoints of its namespace, or of all where it is the root namespace', () => {
    const files = { certificate: '/c', key: '/k', ca: '/ca', crl: '/crl' };
    assert.deepEqual(filesOf('demo', PATHS), { namespace: 'demo', ...files });
    assert.deepEqual(filesOf('istio-system', PATHS), { namespace: '', ...files });
  });

  it('are without certificate and key where none is shown', () => {
    const simple = filesOf('demo', { ...PATHS, mode: 'SIMPLE' });
    assert.deepEqual(simple, { namespace: 'demo', certificate: '', key: '', ca: '/ca', crl: '/crl' });
  });
});
