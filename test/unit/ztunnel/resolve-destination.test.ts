import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import { formatAddress, parseCidr } from '../../../src/model/address.ts';
import type { GatewayAddress } from '../../../src/model/gateway-address.ts';
import { createService, type LoadBalancing, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { DestinationResolver, type OutboundRoute } from '../../../src/ztunnel/resolve-destination.ts';
import { gatewayByAddress, gatewayByHostname, hostnameOf, ip, portMap } from '../../helpers/mesh-objects.ts';

const CLIENT = workload('client', '10.0.0.1');
const SERVER = workload('server', '10.0.0.2', on('echo', { 80: 8080 }));
const VIP = '10.96.0.1';
const PASSTHROUGH: LoadBalancing = { mode: 'Passthrough', routingPreferences: [], healthPolicy: 'AllowAll' };

function workload(name: string, address: string | undefined, fields: Partial<Workload> = {}): Workload {
  return createWorkload({
    uid: `c//Pod/default/${name}`,
    name,
    namespace: 'default',
    serviceAccount: name,
    addresses: address === undefined ? [] : [ip(address)],
    protocol: 'HBONE',
    ...fields,
  });
}

function on(service: string, ports: Record<number, number>): Pick<Workload, 'services'> {
  return { services: new Map([[`default/${hostnameOf(service)}`, portMap(ports)]]) };
}

function service(name: string, vip: string | undefined, fields: Partial<Service> = {}): Service {
  return createService({
    name,
    namespace: 'default',
    hostname: hostnameOf(name),
    vips: vip === undefined ? [] : [{ network: '', address: ip(vip) }],
    ports: portMap({ 80: 8080 }),
    ...fields,
  });
}

interface Mesh {
  readonly workloads?: readonly Workload[];
  readonly services?: readonly Service[];
  readonly source?: Workload;
  readonly random?: number;
}

function resolve(mesh: Mesh, destination: string, port: number) {
  const state = new MeshState();
  const workloads = [mesh.source ?? CLIENT, ...(mesh.workloads ?? [])];
  state.apply([
    ...workloads.map((one) => ({ kind: 'workload', workload: one }) as const),
    ...(mesh.services ?? []).map((one) => ({ kind: 'service', service: one }) as const),
  ]);
  const resolver = new DestinationResolver(state, { network: '', random: () => mesh.random ?? 0 });
  return resolver.resolve(mesh.source ?? CLIENT, { ip: ip(destination), port });
}

/** A route in one line: kind, target, authority. */
function show(route: OutboundRoute): string {
  const { target } = route;
  const to = target.kind === 'address' ? formatAddress(target.ip, target.port) : `${target.hostname}:${target.port}`;
  const authority = 'authority' in route ? ` as ${route.authority}` : '';
  return `${route.kind} ${to}${authority}`;
}

function outcome(mesh: Mesh, destination: string, port: number): string {
  const result = resolve(mesh, destination, port);
  return result.ok ? show(result.value) : `error: ${result.error.message}`;
}

const WAYPOINT_SERVICE = service('waypoint', '10.96.0.9', { ports: portMap({ 15008: 15008 }) });
const WAYPOINT = workload('waypoint', '10.0.0.9', on('waypoint', { 15008: 15008 }));
const withWaypoint = (gateway: GatewayAddress, fields: Partial<Service> = {}): Mesh => ({
  workloads: [SERVER, WAYPOINT],
  services: [WAYPOINT_SERVICE, service('echo', VIP, { waypoint: gateway, ...fields })],
});

describe('a destination', () => {
  const cases: readonly (readonly [string, Mesh, string, number, string])[] = [
    ['nobody knows passes', {}, '1.2.3.4', 443, 'passthrough 1.2.3.4:443'],
    ['that is a tunnelled pod', { workloads: [SERVER] }, '10.0.0.2', 81, 'hbone 10.0.0.2:15008 as 10.0.0.2:81'],
    ['that is a plain pod', { workloads: [{ ...SERVER, protocol: 'TCP' }] }, '10.0.0.2', 81, 'tcp 10.0.0.2:81'],
    [
      'that is a pod with native tunnels is no different',
      { workloads: [{ ...SERVER, nativeTunnel: true }] },
      '10.0.0.2',
      81,
      'hbone 10.0.0.2:15008 as 10.0.0.2:81',
    ],
    [
      'on the host network is not found by address',
      { workloads: [{ ...SERVER, networkMode: 'HostNetwork' }] },
      '10.0.0.2',
      81,
      'passthrough 10.0.0.2:81',
    ],
    [
      'that is a service goes to an endpoint with the port mapped',
      { workloads: [SERVER], services: [service('echo', VIP)] },
      VIP,
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:8080',
    ],
    [
      'that is a service without the port',
      { workloads: [SERVER], services: [service('echo', VIP)] },
      VIP,
      81,
      `error: no healthy upstream: ${VIP}:81`,
    ],
    [
      'that is a service without endpoints',
      { services: [service('echo', VIP)] },
      VIP,
      80,
      `error: no healthy upstream: ${VIP}:80`,
    ],
    [
      'whose only endpoint is sick',
      { workloads: [{ ...SERVER, status: 'Unhealthy' }], services: [service('echo', VIP)] },
      VIP,
      80,
      `error: no healthy upstream: ${VIP}:80`,
    ],
    [
      'whose only endpoint is sick and that takes all',
      {
        workloads: [{ ...SERVER, status: 'Unhealthy' }],
        services: [
          service('echo', VIP, {
            loadBalancer: { mode: 'Standard', routingPreferences: [], healthPolicy: 'AllowAll' },
          }),
        ],
      },
      VIP,
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:8080',
    ],
    [
      'whose only endpoint has no capacity',
      { workloads: [{ ...SERVER, capacity: 0 }], services: [service('echo', VIP)] },
      VIP,
      80,
      `error: no healthy upstream: ${VIP}:80`,
    ],
    [
      'that a passthrough service owns',
      { workloads: [SERVER], services: [service('echo', VIP, { loadBalancer: PASSTHROUGH })] },
      VIP,
      9,
      `passthrough ${VIP}:9`,
    ],
    [
      'of a pod inside the block of a service is that service',
      {
        workloads: [SERVER, workload('other', '10.5.0.1')],
        services: [
          service('echo', undefined, { cidrVips: [{ network: '', cidr: parseCidr('10.5.0.0/16') ?? assert.fail() }] }),
        ],
      },
      '10.5.0.1',
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:8080',
    ],
    [
      'of a pod that is also a VIP: no waypoint, but the service balances',
      {
        workloads: [SERVER, workload('other', VIP), WAYPOINT],
        services: [service('echo', VIP, { waypoint: gatewayByHostname('waypoint') }), WAYPOINT_SERVICE],
      },
      VIP,
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:8080',
    ],
    [
      'whose endpoint is a DNS name',
      {
        workloads: [{ ...SERVER, addresses: [], hostname: 'db.example.com', protocol: 'TCP' }],
        services: [service('echo', VIP)],
      },
      VIP,
      80,
      'tcp db.example.com:8080',
    ],
    [
      'whose endpoint has both families keeps that of the call',
      {
        workloads: [{ ...SERVER, addresses: [ip('fd00::2'), ip('10.0.0.2')] }],
        services: [service('echo', VIP)],
      },
      VIP,
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:8080',
    ],
    [
      'whose service is IPv6 only takes that family, whatever was called',
      {
        workloads: [{ ...SERVER, addresses: [ip('10.0.0.2'), ip('fd00::2')] }],
        services: [service('echo', VIP, { ipFamilies: 'IPv6' })],
      },
      VIP,
      80,
      'hbone [fd00::2]:15008 as [fd00::2]:8080',
    ],
    [
      'whose endpoint maps the port itself',
      {
        workloads: [{ ...SERVER, ...on('echo', { 80: 7000 }) }],
        services: [service('echo', VIP, { ports: portMap({ 80: 0 }) })],
      },
      VIP,
      80,
      'hbone 10.0.0.2:15008 as 10.0.0.2:7000',
    ],
    [
      'whose named port no endpoint has',
      {
        workloads: [{ ...SERVER, ...on('echo', {}) }],
        services: [service('echo', VIP, { ports: portMap({ 80: 0 }) })],
      },
      VIP,
      80,
      `error: no healthy upstream: ${VIP}:80`,
    ],
  ];
  for (const [what, mesh, destination, port, expected] of cases) {
    it(`${what}: ${expected}`, () => assert.equal(outcome(mesh, destination, port), expected));
  }
});

describe('a waypoint', () => {
  const direct = 'hbone 10.0.0.2:15008 as 10.0.0.2:8080';
  const through = `hbone 10.0.0.9:15008 as ${VIP}:80`;
  const bound = (gateway: GatewayAddress, source?: Workload): Mesh => ({
    workloads: [{ ...SERVER, waypoint: gateway }, WAYPOINT],
    services: [WAYPOINT_SERVICE, service('echo', VIP)],
    ...(source !== undefined && { source }),
  });
  const weighted = (weights: readonly (readonly [string, number])[]) => ({
    weightedWaypoints: weights.map(([name, weight]) => ({ destination: gatewayByAddress(name), weight })),
  });
  const pair = [workload('w1', '10.0.1.1'), workload('w2', '10.0.1.2')];
  const split = (weights: readonly (readonly [string, number])[], random: number): Mesh => ({
    workloads: [SERVER, WAYPOINT, ...pair],
    services: [
      WAYPOINT_SERVICE,
      service('echo', VIP, { waypoint: gatewayByHostname('waypoint'), ...weighted(weights) }),
    ],
    random,
  });
  const both = [
    ['10.0.1.1', 75],
    ['10.0.1.2', 25],
  ] as const;
  const none = [
    ['10.0.1.1', 0],
    ['10.0.1.2', 0],
  ] as const;
  const cases: readonly (readonly [string, Mesh, string, number, string])[] = [
    ['of a service, by hostname', withWaypoint(gatewayByHostname('waypoint')), VIP, 80, through],
    ['of a service, by its VIP', withWaypoint(gatewayByAddress('10.96.0.9')), VIP, 80, through],
    ['of a service, by pod address', withWaypoint(gatewayByAddress('10.0.0.9')), VIP, 80, through],
    [
      'of a service, on any port of it',
      withWaypoint(gatewayByHostname('waypoint')),
      VIP,
      9,
      `hbone 10.0.0.9:15008 as ${VIP}:9`,
    ],
    ['of a service is not for its pods', withWaypoint(gatewayByHostname('waypoint')), '10.0.0.2', 8080, direct],
    [
      'of a service that is gone',
      withWaypoint(gatewayByHostname('gone')),
      VIP,
      80,
      `error: unknown waypoint: default/${hostnameOf('gone')}`,
    ],
    [
      'of a service at an address of nobody',
      withWaypoint(gatewayByAddress('10.9.9.9')),
      VIP,
      80,
      'error: unknown waypoint: /10.9.9.9',
    ],
    ['by weight, low point', split(both, 0.74), VIP, 80, `hbone 10.0.1.1:15008 as ${VIP}:80`],
    ['by weight, high point', split(both, 0.76), VIP, 80, `hbone 10.0.1.2:15008 as ${VIP}:80`],
    ['when all weights are zero is the plain one', split(none, 0.5), VIP, 80, through],
    ['of a workload', bound(gatewayByHostname('waypoint')), '10.0.0.2', 8080, 'hbone 10.0.0.9:15008 as 10.0.0.2:8080'],
    ['of a workload is not for its services', bound(gatewayByHostname('waypoint')), VIP, 80, direct],
    ['of a workload that calls it itself', bound(gatewayByHostname('waypoint'), WAYPOINT), '10.0.0.2', 8080, direct],
    [
      'of a workload that calls it itself, by VIP',
      bound(gatewayByAddress('10.96.0.9'), WAYPOINT),
      '10.0.0.2',
      8080,
      direct,
    ],
    [
      'of a workload that calls it itself, by address',
      bound(gatewayByAddress('10.0.0.9'), WAYPOINT),
      '10.0.0.2',
      8080,
      direct,
    ],
    [
      'of a workload whose account somebody else has, too',
      bound(gatewayByHostname('waypoint'), { ...CLIENT, serviceAccount: 'waypoint' }),
      '10.0.0.2',
      8080,
      'hbone 10.0.0.9:15008 as 10.0.0.2:8080',
    ],
    [
      'of a workload that is gone',
      bound(gatewayByHostname('gone')),
      '10.0.0.2',
      8080,
      `error: unknown waypoint: default/${hostnameOf('gone')}`,
    ],
  ];
  for (const [what, mesh, destination, port, expected] of cases) {
    it(`${what}: ${expected}`, () => assert.equal(outcome(mesh, destination, port), expected));
  }

  it('may have the identity of its workload or those that its service vouches for, no other', () => {
    const mesh = withWaypoint(gatewayByHostname('waypoint'));
    const vouching = { ...WAYPOINT_SERVICE, subjectAltNames: ['spiffe://x/ns/y/sa/z'] };
    const result = resolve({ ...mesh, services: [vouching, ...(mesh.services ?? []).slice(1)] }, VIP, 80);
    assert.ok(result.ok && result.value.kind === 'hbone');
    assert.deepEqual(result.value.identities, [
      'spiffe://cluster.local/ns/default/sa/waypoint',
      'spiffe://x/ns/y/sa/z',
    ]);
  });
});

describe('several services with one address', () => {
  const twin = (namespace: string, fields: Partial<Service> = {}): Service =>
    service('echo', VIP, { namespace, ...fields });
  const endpointIn = (namespace: string, address: string) =>
    workload(`in-${namespace}`, address, {
      services: new Map([[`${namespace}/${hostnameOf('echo')}`, portMap({ 80: 80 })]]),
    });
  const endpoints = [endpointIn('default', '10.1.0.1'), endpointIn('b', '10.1.0.2'), endpointIn('c', '10.1.0.3')];
  const chosen = (...services: Service[]) => outcome({ workloads: endpoints, services }, VIP, 80);
  it('are told apart by the namespace of the client, then by being canonical, then by order', () => {
    assert.match(chosen(twin('b', { canonical: true }), twin('default')), /10\.1\.0\.1/);
    assert.match(chosen(twin('b'), twin('c', { canonical: true })), /10\.1\.0\.3/);
    assert.match(chosen(twin('b'), twin('c')), /10\.1\.0\.2/);
    assert.match(chosen(twin('b', { visibility: 'Namespace' }), twin('c')), /10\.1\.0\.3/);
    assert.equal(chosen(twin('b', { visibility: 'Namespace' })), `passthrough ${VIP}:80`);
  });
});

describe('an endpoint of another network', () => {
  const far: Partial<Workload> = { network: 'far', networkGateway: gatewayByAddress('10.0.0.7', 'far') };
  const gateway = workload('gateway', '10.0.0.7', { network: 'far' });
  const sans = { subjectAltNames: ['spiffe://cluster.local/ns/default/sa/server'] };
  it('is reached by hostname and service port through its gateway', () => {
    const mesh = { workloads: [{ ...SERVER, ...far }, gateway], services: [service('echo', VIP, sans)] };
    const result = resolve(mesh, VIP, 80);
    assert.ok(result.ok && result.value.kind === 'double-hbone');
    assert.equal(show(result.value), `double-hbone 10.0.0.7:15008 as ${hostnameOf('echo')}:80`);
    assert.deepEqual(result.value.gatewayIdentities, ['spiffe://cluster.local/ns/default/sa/gateway']);
    assert.deepEqual(result.value.identities, sans.subjectAltNames);
  });
  it('is an error when the gateway is unknown', () => {
    const mesh = { workloads: [{ ...SERVER, ...far }], services: [service('echo', VIP, sans)] };
    assert.equal(outcome(mesh, VIP, 80), 'error: unknown network gateway: far/10.0.0.7');
  });
  it('is an error when it was not addressed as a service', () => {
    const source = { ...CLIENT, network: 'near' };
    assert.equal(
      outcome({ source, workloads: [SERVER] }, '10.0.0.2', 80),
      'error: no service for target address: 10.0.0.2',
    );
  });
});
