import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAuthority, readConnect } from '../../../../src/hbone/authority.ts';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { createWorkload, type Workload } from '../../../../src/model/workload.ts';
import { guessService, resolveInboundTarget } from '../../../../src/ztunnel/data/inbound-target.ts';
import {
  clusterService,
  endpointOf,
  gatewayByAddress,
  gatewayByHostname,
  hostnameOf,
  ip,
} from '../../../helpers/mesh-objects.ts';

describe('an authority', () => {
  for (const [text, expected] of [
    ['10.0.0.1:80', 'address 10.0.0.1 80'],
    ['[fd00::1]:80', 'address fd00::1 80'],
    ['[::ffff:10.0.0.1]:80', 'address 10.0.0.1 80'],
    ['A.b.svc.cluster.local:65535', 'hostname a.b.svc.cluster.local 65535'],
    ['*.example.com:443', 'hostname *.example.com 443'],
  ] as const) {
    it(`"${text}" is ${expected}`, () => {
      const parsed = parseAuthority(text);
      assert.ok(parsed);
      assert.equal(
        `${parsed.kind} ${parsed.kind === 'address' ? parsed.ip : parsed.hostname} ${parsed.port}`,
        expected,
      );
    });
  }
  for (const text of [
    '',
    ':',
    ':80',
    'a',
    'a:',
    'a:0',
    'a:65536',
    'a:080',
    'a:+1',
    'a:8a',
    '10.0.0.1',
    '::1:80',
    'fd00::1:80',
    '[::1]',
    '[::1',
    '[x]:80',
    '[10.0.0.1:80',
    '10.0.0.300:80',
    '1.2.3:80',
    'a b:80',
    'a\0:80',
    'user@a:80',
    '/a:80',
    'a%00:80',
    '-a:80',
    `${'a'.repeat(254)}:80`,
  ]) {
    it(`${JSON.stringify(text.slice(0, 40))} is none`, () => assert.equal(parseAuthority(text), undefined));
  }
});

describe('a request', () => {
  const read = (...headers: [string, string][]) => {
    const result = readConnect(headers);
    return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`;
  };
  it('is CONNECT with an authority', () => {
    assert.equal(read([':method', 'CONNECT'], [':authority', 'a:1']), 'ok');
    assert.equal(read([':method', 'GET'], [':authority', 'a:1']), 'NOT_CONNECT: expected method CONNECT, got GET');
    assert.match(read([':method', 'CONNECT']), /^INVALID_AUTHORITY: no valid authority pseudo header/);
    assert.match(read([':method', 'CONNECT'], [':authority', 'a']), /^INVALID_AUTHORITY: invalid CONNECT address a/);
  });
});

const LOCAL = createWorkload({
  uid: 'l',
  namespace: 'default',
  name: 'l',
  addresses: [ip('10.0.0.2')],
  ...endpointOf('echo', { 80: 8080 }),
});

function resolve(local: Workload, authority: string, services = [clusterService('echo', '10.96.0.1', { 80: 8080 })]) {
  const state = new MeshState();
  state.apply([
    { kind: 'workload', workload: local },
    {
      kind: 'workload',
      workload: createWorkload({
        uid: 'o',
        namespace: 'default',
        addresses: [ip('10.0.0.3')],
        waypoint: gatewayByAddress('10.0.0.2'),
      }),
    },
    ...services.map((service) => ({ kind: 'service', service }) as const),
  ]);
  const parsed = parseAuthority(authority) ?? assert.fail();
  const result = resolveInboundTarget(state, '', local, ip('10.0.0.2'), parsed);
  if (!result.ok) return `error: ${result.error.message}`;
  const { port, proxyDestination: to } = result.value;
  return to === undefined ? `port ${port}` : `port ${port} for ${to.address}:${to.port}`;
}

describe('the target of a request', () => {
  const proxy = { ...LOCAL, applicationTunnel: { protocol: 'PROXY', port: 15088 } } as const;
  const waypointed = [clusterService('echo', '10.96.0.1', { 80: 8080 }, { waypoint: gatewayByHostname('echo') })];
  const host = hostnameOf('echo');
  for (const [what, local, authority, services, expected] of [
    ['its own address', LOCAL, '10.0.0.2:9', undefined, 'port 9'],
    ['another address', LOCAL, '10.0.0.4:9', undefined, 'error: ip mismatch: 10.0.0.4 != 10.0.0.2'],
    ['its loopback', LOCAL, '127.0.0.1:9', undefined, 'error: ip mismatch: 127.0.0.1 != 10.0.0.2'],
    [
      'a service that it is no waypoint of',
      LOCAL,
      '10.96.0.1:80',
      undefined,
      'error: ip mismatch: 10.96.0.1 != 10.0.0.2',
    ],
    ['a service that it is the waypoint of', LOCAL, '10.96.0.1:80', waypointed, 'port 80'],
    ['a workload that it is the waypoint of', LOCAL, '10.0.0.3:80', undefined, 'port 80'],
    ['a hostname, with the endpoint port', LOCAL, `${host}:80`, undefined, 'port 8080'],
    [
      'a hostname with a port it does not have',
      LOCAL,
      `${host}:81`,
      undefined,
      `error: requested service ${host}:81 found, but cannot resolve port`,
    ],
    ['an unknown hostname', LOCAL, 'x.y:80', undefined, 'error: no service or workload for hostname: x.y'],
    ['any address, behind an application tunnel', proxy, '1.2.3.4:80', undefined, 'port 80 for 1.2.3.4:80'],
    ['a hostname, behind an application tunnel', proxy, `${host}:80`, undefined, 'port 8080 for 10.96.0.1:80'],
    [
      'a hostname without VIP, behind an application tunnel',
      proxy,
      `${host}:80`,
      [clusterService('echo', undefined, { 80: 80 })],
      `error: requested service ${host} found, but has no IP addresses`,
    ],
  ] as const) {
    it(`for ${what}: ${expected}`, () =>
      assert.equal(resolve(local, authority, services as Parameters<typeof resolve>[2]), expected));
  }
});

describe('the service that telemetry names', () => {
  it('is the announced one when it is ours, else the first with the port', () => {
    const state = new MeshState();
    const local = createWorkload({
      uid: 'l',
      services: new Map([...endpointOf('a', { 80: 8080 }).services, ...endpointOf('b', { 80: 8080 }).services]),
    });
    state.apply(
      ['a', 'b'].map((name) => ({ kind: 'service', service: clusterService(name, undefined, { 80: 8080 }) }) as const),
    );
    assert.equal(guessService(state, local, hostnameOf('b'), 8080)?.name, 'b');
    assert.equal(guessService(state, local, hostnameOf('c'), 8080)?.name, 'a');
    assert.equal(guessService(state, local, undefined, 9), undefined);
  });
});
