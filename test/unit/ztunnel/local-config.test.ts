import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createPolicyMatch } from '../../../src/model/policy.ts';
import { createService } from '../../../src/model/service.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import { parseLocalConfig } from '../../../src/ztunnel/local-config.ts';
import { ip, portMap } from '../../helpers/mesh-objects.ts';

const parse = (yaml: string) => parseLocalConfig(yaml, 'test.yaml');
const problem = (yaml: string): string => {
  try {
    parse(yaml);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

const WORKLOAD = '{workloadIps: ["10.0.0.1"], namespace: a, services: {}}';
const SERVICE = '{name: s, namespace: a, hostname: s.a, vips: [], ports: {}}';
const POLICY = '{name: p, namespace: a, scope: Global, action: Allow, dryRun: false, rules: []}';

describe('the static configuration', () => {
  it('may be empty', () => {
    for (const text of ['', '{}', 'workloads:', 'workloads: []\nservices:\npolicies: []'])
      assert.deepEqual(parse(text), []);
  });

  it('has the defaults of the facts: plain TCP, no trust domain, capacity 1', () => {
    const [change] = parse(`workloads: [${WORKLOAD}]`);
    const expected = createWorkload({
      uid: '',
      namespace: 'a',
      addresses: [ip('10.0.0.1')],
      trustDomain: '',
      serviceAccount: '',
      clusterId: '',
    });
    assert.deepEqual(change, { kind: 'workload', workload: expected });
  });

  it('reads every key of a workload', () => {
    const [change] = parse(`
workloads:
- workloadIps: ["10.0.0.1", "fd00::1"]
  namespace: a
  services: {"a/s.a": {80: 8080, "443": 8443}}
  uid: u
  name: n
  serviceAccount: sa
  network: net
  workloadName: wn
  workloadType: Deployment
  canonicalName: cn
  canonicalRevision: cr
  hostname: h
  node: no
  clusterId: c
  trustDomain: td
  protocol: HBONE
  networkMode: HostNetwork
  waypoint: {destination: "net/10.0.0.9", hboneMtlsPort: 15009}
  networkGateway: {destination: "a/gw.a"}
  nativeTunnel: true
  applicationTunnel: {protocol: PROXY, port: 15088}
  authorizationPolicies: ["a/p"]
  status: Unhealthy
  locality: {region: r, zone: z, subzone: s}
  capacity: 3
`);
    const address = { kind: 'address', address: { network: 'net', address: ip('10.0.0.9') } } as const;
    const hostname = { kind: 'hostname', hostname: { namespace: 'a', hostname: 'gw.a' } } as const;
    assert.deepEqual(change, {
      kind: 'workload',
      workload: {
        uid: 'u',
        name: 'n',
        namespace: 'a',
        addresses: [ip('10.0.0.1'), ip('fd00::1')],
        network: 'net',
        protocol: 'HBONE',
        trustDomain: 'td',
        serviceAccount: 'sa',
        waypoint: { destination: address, hboneMtlsPort: 15009 },
        networkGateway: { destination: hostname, hboneMtlsPort: 15008 },
        node: 'no',
        canonicalName: 'cn',
        canonicalRevision: 'cr',
        workloadType: 'deployment',
        workloadName: 'wn',
        nativeTunnel: true,
        applicationTunnel: { protocol: 'PROXY', port: 15088 },
        authorizationPolicies: ['a/p'],
        status: 'Unhealthy',
        clusterId: 'c',
        locality: { region: 'r', zone: 'z', subzone: 's' },
        services: new Map([['a/s.a', portMap({ 80: 8080, 443: 8443 })]]),
        hostname: 'h',
        networkMode: 'HostNetwork',
        capacity: 3,
      },
    });
  });

  it('reads every key of a service', () => {
    const [change] = parse(`
services:
- name: s
  namespace: a
  hostname: s.a
  vips: ["/10.96.0.1", "net/fd00::1"]
  ports: {80: 0}
  cidrVips: [{network: net, cidr: 10.1.2.3/16}]
  endpoints: {u: {workloadUid: u, port: {80: 8080}, status: Healthy}}
  subjectAltNames: ["spiffe://td/ns/a/sa/b"]
  waypoint: {destination: "a/w.a"}
  weightedWaypoints: [{destination: {destination: "/10.0.0.9"}, weight: 5}]
  loadBalancer: {routingPreferences: [Region, Zone], mode: Failover, healthPolicy: AllowAll}
  ipFamilies: Dual
  canonical: true
  visibility: Namespace
`);
    const hostname = { kind: 'hostname', hostname: { namespace: 'a', hostname: 'w.a' } } as const;
    const address = { kind: 'address', address: { network: '', address: ip('10.0.0.9') } } as const;
    const expected = createService({
      name: 's',
      namespace: 'a',
      hostname: 's.a',
      vips: [
        { network: '', address: ip('10.96.0.1') },
        { network: 'net', address: ip('fd00::1') },
      ],
      ports: portMap({ 80: 0 }),
      cidrVips: [{ network: 'net', cidr: { bytes: Uint8Array.of(10, 1, 0, 0), prefixLength: 16 } }],
      subjectAltNames: ['spiffe://td/ns/a/sa/b'],
      waypoint: { destination: hostname, hboneMtlsPort: 15008 },
      weightedWaypoints: [{ destination: { destination: address, hboneMtlsPort: 15008 }, weight: 5 }],
      loadBalancer: { routingPreferences: ['Region', 'Zone'], mode: 'Failover', healthPolicy: 'AllowAll' },
      ipFamilies: 'Dual',
      canonical: true,
      visibility: 'Namespace',
    });
    assert.deepEqual(change, { kind: 'service', service: expected });
  });

  for (const [how, principals] of [
    ['as tags', '[!Exact a, !Prefix b, !Suffix c, !Presence []]'],
    ['as maps', '[{Exact: a}, {Prefix: b}, {Suffix: c}, {Presence: []}]'],
  ] as const) {
    it(`reads string matches ${how}, and every other key of a policy`, () => {
      const [change] = parse(`
policies:
- name: p
  namespace: a
  scope: WorkloadSelector
  action: Deny
  dryRun: true
  rules:
  - - - principals: ${principals}
        notPrincipals: ${principals}
        namespaces: ${principals}
        notNamespaces: ${principals}
        serviceAccounts: [{namespace: a, serviceAccount: x}]
        notServiceAccounts: [{namespace: a, serviceAccount: y}]
        sourceIps: [10.0.0.0/8]
        notSourceIps: ["fd00::/8"]
        destinationIps: [10.0.0.1]
        notDestinationIps: [10.0.0.2/32]
        destinationPorts: [80]
        notDestinationPorts: [81]
`);
      const texts = [
        { kind: 'exact', value: 'a' },
        { kind: 'prefix', value: 'b' },
        { kind: 'suffix', value: 'c' },
        { kind: 'presence' },
      ] as const;
      const block = (bytes: number[], prefixLength: number) => ({ bytes: Uint8Array.from(bytes), prefixLength });
      const match = createPolicyMatch({
        principals: texts,
        notPrincipals: texts,
        namespaces: texts,
        notNamespaces: texts,
        serviceAccounts: [{ namespace: 'a', serviceAccount: 'x' }],
        notServiceAccounts: [{ namespace: 'a', serviceAccount: 'y' }],
        sourceIps: [block([10, 0, 0, 0], 8)],
        notSourceIps: [block([0xfd, ...new Array<number>(15).fill(0)], 8)],
        destinationIps: [block([10, 0, 0, 1], 32)],
        notDestinationIps: [block([10, 0, 0, 2], 32)],
        destinationPorts: [80],
        notDestinationPorts: [81],
      });
      const policy = {
        name: 'p',
        namespace: 'a',
        scope: 'WorkloadSelector',
        action: 'Deny',
        dryRun: true,
        rules: [[[match]]],
      };
      assert.deepEqual(change, { kind: 'policy', policy });
    });
  }

  for (const [what, yaml, reason] of [
    ['is no YAML', 'workloads: [', /test\.yaml: .*line 1/],
    ['is no map', '- a', /test\.yaml: /],
    ['has an unknown top key', 'pods: []', /Unrecognized key: "pods"/],
    [
      'has an unknown key',
      `workloads: [{workloadIps: [], namespace: a, services: {}, ip: x}]`,
      /workloads\.0: Unrecognized key: "ip"/,
    ],
    ['lacks a key', 'workloads: [{namespace: a, services: {}}]', /workloads\.0\.workloadIps: /],
    [
      'has a bad address',
      'workloads: [{workloadIps: ["10.0.0.300"], namespace: a, services: {}}]',
      /workloads\.0\.workloadIps\.0: "10\.0\.0\.300" is no IP address/,
    ],
    [
      'has a bad VIP',
      `services: [{name: s, namespace: a, hostname: h, vips: ["10.0.0.1"], ports: {}}]`,
      /vips\.0: "10\.0\.0\.1" is not <network>\/<ip>/,
    ],
    [
      'has a bad block',
      `services: [{name: s, namespace: a, hostname: h, vips: [], ports: {}, cidrVips: [{network: "", cidr: 10.0.0.0/40}]}]`,
      /is no CIDR block/,
    ],
    [
      'has a bad port',
      `services: [{name: s, namespace: a, hostname: h, vips: [], ports: {80: 65536}}]`,
      /services\.0\.ports\.80: /,
    ],
    [
      'has a bad gateway',
      `workloads: [{workloadIps: [], namespace: a, services: {}, waypoint: {destination: a/b/c}}]`,
      /neither <network>\/<ip> nor/,
    ],
    [
      'has a load balancer with a key missing',
      `services: [{name: s, namespace: a, hostname: h, vips: [], ports: {}, loadBalancer: {mode: Strict, healthPolicy: AllowAll}}]`,
      /loadBalancer\.routingPreferences/,
    ],
    [
      'has a bad match',
      `policies: [{name: p, namespace: a, scope: Global, action: Allow, dryRun: false, rules: [[[{principals: [x]}]]]}]`,
      /rules\.0\.0\.0\.principals/,
    ],
  ] as const) {
    it(`that ${what} is refused with the place`, () => assert.match(problem(yaml), reason));
  }

  it('names all problems at once', () => {
    const text = problem(
      `workloads: [{workloadIps: ["x"], namespace: a, services: {}}]\nservices: [{}]\npolicies: [${POLICY}]`,
    );
    assert.match(text, /workloads\.0\.workloadIps\.0/);
    assert.match(text, /services\.0\.hostname/);
  });

  it('has nothing against many aliases, but against a bomb of them', () => {
    assert.equal(parse(`services: [&s ${SERVICE}, *s, *s]`).length, 3);
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh'].map((pair) => pair.split(''))) {
      bomb.push(`${to}: &${to} [${new Array(9).fill(`*${from}`).join(',')}]`);
    }
    assert.notEqual(problem(bomb.join('\n')), 'no error');
  });
});
