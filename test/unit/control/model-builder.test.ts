import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { renderAmbientz } from '../../../src/control/ambientz.ts';
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from '../../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../../src/control/model-builder.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import type { ResourceStore } from '../../../src/xds/server/resource-store.ts';
import { authorizationPolicy, object, peerAuthentication, pod, service } from '../../helpers/manifests.ts';

type Json = Record<string, unknown>;

function parse(raw: unknown): ManifestObject {
  const reading = readObject(raw, () => ({ file: 'f', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  return reading.object;
}

class Mesh {
  readonly store = new ObjectStore();
  readonly model: ModelBuilder;

  constructor(objects: readonly unknown[] = [], mesh: Partial<MeshOptions> = {}) {
    this.add(...objects);
    this.model = new ModelBuilder(this.store, { ...DEFAULT_MESH_OPTIONS, ...mesh });
  }

  add(...objects: readonly unknown[]): void {
    this.store.apply(objects.map(parse), []);
  }

  remove(raw: unknown): void {
    this.store.apply([], [keyOf(parse(raw))]);
  }

  workload(name: string): Json {
    return this.#dump().workloads.find((entry) => (entry as Json)['name'] === name) as Json;
  }

  service(hostname: string): Json {
    return this.#dump().services.find((entry) => (entry as Json)['hostname'] === hostname) as Json;
  }

  policies(name: string): unknown {
    return this.workload(name)['authorizationPolicies'];
  }

  #dump(): ReturnType<typeof renderAmbientz> {
    return renderAmbientz(this.model.addresses, this.model.authorizations);
  }
}

function contents(store: ResourceStore): [string, string, string][] {
  return [...store.names()].sort().map((name) => {
    const { value, aliases, groups } = store.get(name)!;
    return [name, value.toString('base64'), [...aliases, ...groups].join()];
  });
}

function ruleNotes({ notes }: ModelBuilder): [string, string][] {
  return [...notes].filter(([key]) => key.startsWith('DestinationRule/')).sort();
}

const address = (text: string) => Buffer.from(text.split('.').map(Number)).toString('base64');
const strict = (name: string, meta: Json = {}, spec: Json = {}) =>
  peerAuthentication(name, { mtls: { mode: 'STRICT' }, ...spec }, meta);
const waypoint = (fields: Json = {}, meta: Json = {}) =>
  object('gateway.networking.k8s.io/v1', 'Gateway', 'wp', { gatewayClassName: 'istio-waypoint', ...fields }, meta);
const namespace = (name: string, meta: Json = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...meta },
});
const node = (name: string, zone: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'topology.kubernetes.io/region': 'r1', 'topology.kubernetes.io/zone': zone } },
});

describe('Workloads without addresses of services, for clients that know no others', () => {
  test('are there when the first client asks, and followed from then on', () => {
    const mesh = new Mesh([service('web'), pod({ name: 'before', ip: '10.0.0.1' })]);
    const { workloads } = mesh.model;
    mesh.add(pod({ name: 'between', ip: '10.0.0.2' }));
    assert.equal(workloads.size, 0);
    const heard: string[] = [];
    workloads.subscribe((changes) => heard.push(...changes.map(({ name }) => name.split('/').at(-1) ?? '')));
    mesh.add(pod({ name: 'after', ip: '10.0.0.3' }));
    mesh.remove(pod({ name: 'before', ip: '10.0.0.1' }));
    const held = [...workloads.names()].map((name) => name.split('/').at(-1)).sort();
    assert.deepEqual(
      [held, heard],
      [
        ['after', 'between'],
        ['after', 'before'],
      ],
    );
  });
});

describe('ModelBuilder, pods', () => {
  test('feeds a pod as Istio does', () => {
    const mesh = new Mesh([
      node('node-a', 'za'),
      pod({ name: 'client-8', ip: '10.244.1.18', labels: { app: 'client' }, serviceAccount: 'client' }),
    ]);
    assert.deepEqual(mesh.workload('client-8'), {
      uid: 'Kubernetes//Pod/demo/client-8',
      name: 'client-8',
      namespace: 'demo',
      addresses: [address('10.244.1.18')],
      tunnelProtocol: 'HBONE',
      serviceAccount: 'client',
      node: 'node-a',
      canonicalName: 'client',
      canonicalRevision: 'latest',
      workloadType: 'POD',
      workloadName: 'client-8',
      clusterId: 'Kubernetes',
      locality: { region: 'r1', zone: 'za' },
    });
  });

  test('leaves out pods without an address and pods that have ended', () => {
    const mesh = new Mesh([
      pod({ name: 'a' }),
      pod({ name: 'b', ip: '10.0.0.1', phase: 'Succeeded' }),
      pod({ name: 'c', ip: '10.0.0.2', phase: 'Failed' }),
    ]);
    assert.equal(mesh.model.addresses.size, 0);
  });

  test('advertises a tunnel only for redirected pods and those that end tunnels themselves', () => {
    const mesh = new Mesh([
      pod({ name: 'a', ip: '10.0.0.1', annotations: { 'ambient.istio.io/redirection': 'pending' } }),
      pod({ name: 'b', ip: '10.0.0.2', annotations: {}, labels: { 'networking.istio.io/tunnel': 'http' } }),
    ]);
    assert.equal(mesh.workload('a')['tunnelProtocol'], undefined);
    assert.deepEqual([mesh.workload('b')['tunnelProtocol'], mesh.workload('b')['nativeTunnel']], ['HBONE', true]);
  });

  test('marks pods that are not ready or are being deleted as unhealthy', () => {
    const mesh = new Mesh([
      pod({ name: 'a', ip: '10.0.0.1', ready: false }),
      pod({ name: 'b', ip: '10.0.0.2', deleting: true }),
    ]);
    assert.deepEqual([mesh.workload('a')['status'], mesh.workload('b')['status']], ['UNHEALTHY', 'UNHEALTHY']);
  });

  test('names the workload after what owns the pod, without hash or time', () => {
    const owned = (name: string, kind: string, owner: string, labels = {}) =>
      pod({ name, ip: '10.0.0.1', owners: [{ kind, name: owner, controller: true }], labels });
    const mesh = new Mesh([
      owned('a', 'ReplicaSet', 'web-5d4f', { 'pod-template-hash': '5d4f' }),
      owned('b', 'Job', 'backup-28512345'),
      owned('c', 'StatefulSet', 'db'),
    ]);
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => mesh.workload(name)['workloadName']),
      ['web', 'backup', 'db'],
    );
  });

  test('leaves the trust domain out only when it is the default', () => {
    assert.equal(
      new Mesh([pod({ name: 'a', ip: '10.0.0.1' })], { trustDomain: 'x.org' }).workload('a')['trustDomain'],
      'x.org',
    );
  });

  test('finds named target ports in each pod and leaves out ports that a pod lacks', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'admin', port: 81, targetPort: 'admin' },
      { name: 'raw', port: 82, targetPort: 9000 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const mesh = new Mesh([
      service('web', { ports }),
      pod({ name: 'web', ip: '10.0.0.1', ports: [{ name: 'web', containerPort: 8080 }] }),
    ]);
    assert.deepEqual(mesh.workload('web')['services'], {
      'demo/web.demo.svc.cluster.local': {
        ports: [
          { servicePort: 80, targetPort: 8080 },
          { servicePort: 82, targetPort: 9000 },
        ],
      },
    });
    assert.deepEqual(mesh.service('web.demo.svc.cluster.local')['ports'], [
      { servicePort: 80, appProtocol: 'HTTP11' },
      { servicePort: 81 },
      { servicePort: 82, targetPort: 9000 },
    ]);
  });
});

describe('ModelBuilder, services', () => {
  const host = 'web.demo.svc.cluster.local';

  test('keeps the addresses of the manifest, allocates the others, and gives a headless service none', () => {
    assert.deepEqual(new Mesh([service('web', { clusterIP: '10.96.1.1' })]).service(host)['addresses'], [
      { address: address('10.96.1.1') },
    ]);
    assert.equal(new Mesh([service('web', { clusterIP: 'None' })]).service(host)['addresses'], undefined);
    const [allocated] = new Mesh([service('web')]).service(host)['addresses'] as { address: string }[];
    assert.deepEqual([...Buffer.from(allocated!.address, 'base64')].slice(0, 2), [10, 96]);
    const dual = new Mesh([service('web', { ipFamilyPolicy: 'RequireDualStack' })]).service(host);
    assert.deepEqual([(dual['addresses'] as unknown[]).length, dual['ipFamilies']], [2, 'DUAL']);
  });

  test('moves an allocated address out of the way of a manifest that claims it', () => {
    const mesh = new Mesh([service('web')]);
    const [before] = mesh.service(host)['addresses'] as { address: string }[];
    const text = [...Buffer.from(before!.address, 'base64')].join('.');
    mesh.add(service('other', { clusterIP: text }));
    const [after] = mesh.service(host)['addresses'] as { address: string }[];
    assert.notEqual(after!.address, before!.address);
  });

  test('translates traffic distribution, with the service before its namespace', () => {
    const annotated = namespace('demo', { annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose' } });
    const mesh = new Mesh([annotated, service('web'), service('near', { trafficDistribution: 'PreferSameNode' })]);
    assert.deepEqual(mesh.service(host)['loadBalancing'], {
      routingPreference: ['NETWORK', 'REGION', 'ZONE'],
      mode: 'FAILOVER',
    });
    assert.deepEqual(mesh.service('near.demo.svc.cluster.local')['loadBalancing'], {
      routingPreference: ['NETWORK', 'REGION', 'ZONE', 'SUBZONE', 'NODE'],
      mode: 'FAILOVER',
    });
    const local = new Mesh([service('web', { internalTrafficPolicy: 'Local', publishNotReadyAddresses: true })]);
    assert.deepEqual(local.service(host)['loadBalancing'], {
      routingPreference: ['NODE'],
      mode: 'STRICT',
      healthPolicy: 'ALLOW_ALL',
    });
  });

  test('lets a Service win over a ServiceEntry of the same host, whichever came first', () => {
    const entry = object('networking.istio.io/v1', 'ServiceEntry', 'se', {
      hosts: [host],
      ports: [{ number: 1, name: 'tcp', protocol: 'TCP' }],
    });
    const mesh = new Mesh([entry]);
    assert.equal(mesh.service(host)['canonical'], undefined);
    mesh.add(service('web'));
    assert.equal(mesh.service(host)['canonical'], true);
    mesh.remove(service('web'));
    assert.equal(mesh.service(host)['canonical'], undefined);
  });

  test('does not send an ExternalName service', () => {
    assert.equal(new Mesh([service('web', { type: 'ExternalName', externalName: 'x.org' })]).model.addresses.size, 0);
  });

  test('takes endpoints of a service without selector from its slices, on the host network', () => {
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 's', namespace: 'demo', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'] }],
      ports: [{ name: 'http', port: 7000 }],
    };
    const mesh = new Mesh([service('web', { selector: {} }), slice]);
    const workload = mesh.workload('s');
    assert.equal(workload['uid'], 'Kubernetes/discovery.k8s.io/EndpointSlice/demo/s/192.0.2.1');
    assert.equal(workload['networkMode'], 'HOST_NETWORK');
    assert.deepEqual(workload['services'], { [`demo/${host}`]: { ports: [{ servicePort: 80, targetPort: 7000 }] } });
    mesh.add(service('web'));
    assert.equal(mesh.workload('s'), undefined);
  });

  test('feeds a ServiceEntry by its resolution', () => {
    const entry = (name: string, spec: Json) =>
      object('networking.istio.io/v1', 'ServiceEntry', name, {
        hosts: [`${name}.org`],
        ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
        ...spec,
      });
    const mesh = new Mesh([
      entry('none', { addresses: ['203.0.113.0/24'] }),
      entry('static', {
        resolution: 'STATIC',
        endpoints: [{ address: '192.0.2.1', ports: { tls: 8443 } }, { address: '192.0.2.2' }],
      }),
      entry('dns', { resolution: 'DNS' }),
    ]);
    assert.deepEqual(mesh.service('none.org')['addresses'], [{ address: address('203.0.113.0'), length: 24 }]);
    assert.deepEqual(mesh.service('none.org')['loadBalancing'], { mode: 'PASSTHROUGH', healthPolicy: 'ALLOW_ALL' });
    const [v4, v6] = mesh.service('static.org')['addresses'] as { address: string }[];
    assert.deepEqual([...Buffer.from(v4!.address, 'base64')].slice(0, 2), [240, 240]);
    assert.equal(Buffer.from(v6!.address, 'base64').length, 16);
    assert.equal(mesh.workload('dns')['hostname'], 'dns.org');
    assert.equal(
      mesh.model.addresses.get('Kubernetes/networking.istio.io/ServiceEntry/demo/static/192.0.2.1')?.groups[0],
      'demo/static.org',
    );
  });
});

describe('ModelBuilder, policies of workloads', () => {
  const web = pod({ name: 'web', ip: '10.0.0.1' });

  test('lists the selecting policies, of the root namespace too', () => {
    const selector = { matchLabels: { app: 'web' } };
    const root = { namespace: 'istio-system' };
    const mesh = new Mesh([
      web,
      authorizationPolicy('b', { selector }),
      authorizationPolicy('a', {}),
      authorizationPolicy('r', { selector }, root),
    ]);
    assert.deepEqual(mesh.policies('web'), ['demo/b', 'istio-system/r']);
    mesh.remove(authorizationPolicy('b', {}));
    assert.deepEqual(mesh.policies('web'), ['istio-system/r']);
  });

  test('binds STRICT of mesh and namespace, the more specific one winning', () => {
    const staticKey = 'istio-system/istio_converted_static_strict';
    const mesh = new Mesh([web, strict('default', { namespace: 'istio-system' })]);
    assert.deepEqual(mesh.policies('web'), [staticKey]);
    assert.ok(mesh.model.authorizations.get(staticKey));
    mesh.add(peerAuthentication('ns', { mtls: { mode: 'PERMISSIVE' } }));
    assert.equal(mesh.policies('web'), undefined);
    const selector = { matchLabels: { app: 'web' } };
    mesh.add(strict('wl', {}, { selector, portLevelMtls: { '80': { mode: 'PERMISSIVE' } } }));
    assert.deepEqual(mesh.policies('web'), ['demo/converted_peer_authentication_wl']);
    for (const name of ['ns', 'wl']) mesh.remove(peerAuthentication(name, {}));
    mesh.remove(strict('default', { namespace: 'istio-system' }));
    assert.equal(mesh.policies('web'), undefined);
    assert.equal(mesh.model.authorizations.size, 0);
  });

  test('lets the oldest of several on one level win', () => {
    const created = (name: string, mode: string, creationTimestamp: string) =>
      peerAuthentication(name, { mtls: { mode } }, { creationTimestamp });
    const mesh = new Mesh([
      web,
      created('a', 'STRICT', '2026-02-01T00:00:00Z'),
      created('b', 'PERMISSIVE', '2026-01-01T00:00:00Z'),
    ]);
    assert.equal(mesh.policies('web'), undefined);
  });

  test('ignores a selector in the root namespace', () => {
    const mesh = new Mesh([
      web,
      strict('x', { namespace: 'istio-system' }, { selector: { matchLabels: { app: 'web' } } }),
    ]);
    assert.equal(mesh.policies('web'), undefined);
  });
});

describe('ModelBuilder, waypoints', () => {
  const host = 'web.demo.svc.cluster.local';
  const bound = { hostname: { namespace: 'demo', hostname: 'wp.demo.svc.cluster.local' }, hboneMtlsPort: 15008 };
  const labelled = (labels: Json) => service('web', {}, { labels });

  test('binds a service by the label of its namespace, unless its own says none', () => {
    const mesh = new Mesh([
      namespace('demo', { labels: { 'istio.io/use-waypoint': 'wp' } }),
      waypoint(),
      service('wp'),
      service('web'),
    ]);
    assert.deepEqual(mesh.service(host)['waypoint'], bound);
    mesh.add(labelled({ 'istio.io/use-waypoint': 'none' }));
    assert.equal(mesh.service(host)['waypoint'], undefined);
  });

  test('fails closed on a waypoint that does not exist, and passes only when told to', () => {
    const objects = [labelled({ 'istio.io/use-waypoint': 'wp' })];
    const mesh = new Mesh(objects);
    assert.deepEqual(mesh.service(host)['waypoint'], bound);
    assert.equal(mesh.model.addresses.get('demo/wp.demo.svc.cluster.local'), undefined);
    assert.match(mesh.model.notes.get('Service/demo/web') ?? '', /does not exist/);
    assert.equal(new Mesh(objects, { missingWaypoint: 'open' }).service(host)['waypoint'], undefined);
  });

  test('fails closed on a waypoint of another namespace that does not admit the service', () => {
    const objects = [
      labelled({ 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'infra' }),
      service('wp', {}, { namespace: 'infra' }),
    ];
    const listener = (from: string) => ({
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from } } }],
    });
    const mesh = new Mesh([...objects, waypoint(listener('Same'), { namespace: 'infra' })]);
    const refused = (mesh.service(host)['waypoint'] as Json)['hostname'] as Json;
    assert.equal(mesh.model.addresses.get(`infra/${String(refused['hostname'])}`), undefined);
    mesh.add(waypoint(listener('All'), { namespace: 'infra' }));
    assert.deepEqual((mesh.service(host)['waypoint'] as Json)['hostname'], {
      namespace: 'infra',
      hostname: 'wp.infra.svc.cluster.local',
    });
  });

  test('binds workloads only to waypoints that take their traffic', () => {
    const web = pod({ name: 'web', ip: '10.0.0.1', labels: { 'istio.io/use-waypoint': 'wp' } });
    const mesh = new Mesh([web, waypoint()]);
    assert.equal(mesh.workload('web')['waypoint'], undefined);
    mesh.add(waypoint({}, { labels: { 'istio.io/waypoint-for': 'all' } }));
    assert.deepEqual(mesh.workload('web')['waypoint'], bound);
  });

  test('never sends the traffic of a waypoint through a waypoint', () => {
    const labels = { 'gateway.networking.k8s.io/gateway-name': 'wp' };
    const mesh = new Mesh([
      namespace('demo', { labels: { 'istio.io/use-waypoint': 'wp' } }),
      waypoint(),
      service('wp', {}, { labels }),
    ]);
    assert.equal(mesh.service('wp.demo.svc.cluster.local')['waypoint'], undefined);
  });

  test('splits between main and canary waypoint by weight', () => {
    const canary = object('gateway.networking.k8s.io/v1', 'Gateway', 'wp2', { gatewayClassName: 'istio-waypoint' });
    const meta = {
      labels: { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-canary': 'wp2' },
      annotations: { 'istio.io/use-waypoint-canary-weight': '20' },
    };
    const weighted = new Mesh([waypoint(), canary, service('web', {}, meta)]).service(host)[
      'weightedWaypoints'
    ] as Json[];
    assert.deepEqual(
      weighted.map((entry) => entry['weight']),
      [80, 20],
    );
  });
});

// Random objects over few names, so that they meet.
const nsName = fc.constantFrom('demo', 'other', 'istio-system');
const app = fc.constantFrom('a', 'b');
const objects: fc.Arbitrary<unknown> = fc.oneof(
  fc
    .record({
      name: fc.constantFrom('p1', 'p2', 'p3'),
      namespace: nsName,
      app,
      ip: fc.constantFrom('10.0.0.1', '10.0.0.2', ''),
      ready: fc.boolean(),
      node: fc.constantFrom('node-a', 'node-b'),
    })
    .map(({ ip, app: label, ...rest }) =>
      pod({
        ...rest,
        labels: { app: label, ...(rest.ready ? { 'istio.io/use-waypoint': 'wp' } : {}) },
        ...(ip === '' ? {} : { ip }),
      }),
    ),
  fc
    .record({
      name: fc.constantFrom('s1', 's2', 'wp'),
      ns: nsName,
      app,
      target: fc.constantFrom(80, 'http'),
      ip: fc.constantFrom(undefined, '10.96.0.9', 'None'),
    })
    .map(({ name, ns, app: label, target, ip }) =>
      service(
        name,
        {
          selector: { app: label },
          ports: [{ port: 80, targetPort: target }],
          ...(ip === undefined ? {} : { clusterIP: ip }),
        },
        { namespace: ns },
      ),
    ),
  fc
    .record({
      name: fc.constantFrom('dr1', 'dr2'),
      ns: nsName,
      host: fc.constantFrom('s1', 's2.demo.svc.cluster.local', '*.cluster.local'),
      label: fc.constantFrom('app', 'istio.io/use-waypoint'),
      exportTo: fc.constantFrom([], ['.'], ['other']),
      priority: fc.boolean(),
    })
    .map(({ name, ns, host: ruleHost, label, exportTo, priority }) => {
      const localityLbSetting = priority ? { failoverPriority: [label] } : {};
      const trafficPolicy = { outlierDetection: {}, loadBalancer: { localityLbSetting } };
      const subsets = priority ? [] : [{ name: 'one', labels: { [label]: 'a' } }];
      const spec = { host: ruleHost, exportTo, trafficPolicy, subsets };
      return object('networking.istio.io/v1', 'DestinationRule', name, spec, { namespace: ns });
    }),
  fc
    .record({ ns: nsName, app, action: fc.constantFrom('ALLOW', 'DENY'), bare: fc.boolean() })
    .map(({ ns, app: label, action, bare }) =>
      authorizationPolicy(
        'ap',
        { action, rules: [{}], ...(bare ? {} : { selector: { matchLabels: { app: label } } }) },
        { namespace: ns },
      ),
    ),
  fc
    .record({
      ns: nsName,
      name: fc.constantFrom('pa1', 'pa2'),
      mode: fc.constantFrom('STRICT', 'PERMISSIVE', 'UNSET'),
      sel: fc.boolean(),
    })
    .map(({ ns, name, mode, sel }) =>
      peerAuthentication(
        name,
        {
          mtls: { mode },
          ...(sel ? { selector: { matchLabels: { app: 'a' } }, portLevelMtls: { '80': { mode: 'STRICT' } } } : {}),
        },
        { namespace: ns },
      ),
    ),
  fc
    .record({ ns: nsName, label: fc.constantFrom({}, { 'istio.io/use-waypoint': 'wp' }) })
    .map(({ ns, label }) => namespace(ns, { labels: label })),
  fc
    .record({ name: fc.constantFrom('node-a', 'node-b'), zone: fc.constantFrom('z1', 'z2') })
    .map(({ name, zone }) => node(name, zone)),
  fc
    .record({ ns: nsName, kind: fc.constantFrom('all', 'service') })
    .map(({ ns, kind }) => waypoint({}, { namespace: ns, labels: { 'istio.io/waypoint-for': kind } })),
  fc
    .record({ ns: nsName, host: fc.constantFrom('x.org', 's1.demo.svc.cluster.local'), sel: fc.boolean() })
    .map(({ ns, host, sel }) =>
      object(
        'networking.istio.io/v1',
        'ServiceEntry',
        'se',
        {
          hosts: [host],
          resolution: 'STATIC',
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
          ...(sel ? { workloadSelector: { labels: { app: 'a' } } } : { endpoints: [{ address: '192.0.2.1' }] }),
        },
        { namespace: ns },
      ),
    ),
  fc
    .record({ ns: nsName, app })
    .map(({ ns, app: label }) =>
      object(
        'networking.istio.io/v1',
        'WorkloadEntry',
        'we',
        { address: '10.1.0.1', labels: { app: label } },
        { namespace: ns },
      ),
    ),
  fc.record({ ns: nsName, ready: fc.boolean() }).map(({ ns, ready }) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'es', namespace: ns, labels: { 'kubernetes.io/service-name': 's1' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.9'], conditions: { ready } }],
    ports: [{ port: 1 }],
  })),
);

describe('ModelBuilder, incrementally', () => {
  test('holds after any sequence of changes what a full rebuild gives', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ raw: objects, gone: fc.boolean() }), { minLength: 1, maxLength: 25 }),
        (steps) => {
          const mesh = new Mesh();
          for (const { raw, gone } of steps) gone ? mesh.remove(raw) : mesh.add(raw);
          const again = new ObjectStore();
          again.apply(
            [...mesh.store.keys()].sort().map((key) => mesh.store.getByKey(key)!),
            [],
          );
          const full = new ModelBuilder(again, DEFAULT_MESH_OPTIONS);
          for (const kind of ['addresses', 'workloads', 'authorizations'] as const) {
            assert.deepEqual(contents(mesh.model[kind]), contents(full[kind]));
          }
          for (const [typeUrl, store] of mesh.model.waypointStores) {
            assert.deepEqual(contents(store), contents(full.waypointStores.get(typeUrl)!));
          }
          assert.deepEqual(ruleNotes(mesh.model), ruleNotes(full));
          full.stop();
        },
      ),
      { numRuns: 400 },
    );
  });

  test('rebuilds one pod of thousands without touching the others', () => {
    const pods = Array.from({ length: 3000 }, (_, index) =>
      pod({ name: `p${index}`, ip: `10.1.${index >> 8}.${index & 255}`, labels: { app: 'web' } }),
    );
    const mesh = new Mesh([service('web'), ...pods]);
    const changed: string[] = [];
    mesh.model.addresses.subscribe((changes) => changed.push(...changes.map((change) => change.name)));
    mesh.add(pod({ name: 'p7', ip: '10.1.0.7', labels: { app: 'web' }, ready: false }));
    assert.deepEqual(changed, ['Kubernetes//Pod/demo/p7']);
    mesh.add(pod({ name: 'p7', ip: '10.1.0.7', labels: { app: 'web' }, ready: false }));
    assert.equal(changed.length, 1);
  });
});
