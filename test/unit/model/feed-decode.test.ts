import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ipFromBytes, makeCidr } from '../../../src/model/address.ts';
import { decodeAddress } from '../../../src/model/feed-decode.ts';
import { encodeAuthorization, encodeService, encodeWorkload } from '../../../src/model/feed-encode.ts';
import type { GatewayAddress } from '../../../src/model/gateway-address.ts';
import { createPolicyMatch, type PolicyMatch, type StringMatch } from '../../../src/model/policy.ts';
import { decodeAuthorization } from '../../../src/model/policy-decode.ts';
import { createService, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { Authorization } from '../../../src/proto/gen/authorization.ts';
import * as pb from '../../../src/proto/gen/workload.ts';

const text = fc.constantFrom('', 'a', 'b.c', 'ünï');
const name = fc.constantFrom('a', 'b', 'x-1');
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((list) => Uint8Array.from(list, (byte, index) => (index === 0 ? byte | 0x20 : byte))),
);
const ip = bytes.map((list) => ipFromBytes(list) ?? assert.fail());
const block = fc.tuple(bytes, fc.nat({ max: 32 })).map(([base, length]) => makeCidr(base, length) ?? assert.fail());
const ports = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 65535 }), fc.nat({ max: 65535 })), { maxLength: 3 })
  .map((list) => new Map(list));
const gateway: fc.Arbitrary<GatewayAddress> = fc.record({
  destination: fc.oneof(
    fc.record({ kind: fc.constant('address' as const), address: fc.record({ network: text, address: ip }) }),
    fc.record({ kind: fc.constant('hostname' as const), hostname: fc.record({ namespace: text, hostname: text }) }),
  ),
  hboneMtlsPort: fc.nat({ max: 65535 }),
});
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const workload: fc.Arbitrary<Workload> = fc
  .record({
    uid: name,
    name: text,
    namespace: text,
    addresses: fc.array(ip, { maxLength: 2 }),
    network: text,
    protocol: fc.constantFrom('HBONE' as const, 'TCP' as const),
    trustDomain: fc.constantFrom('cluster.local', 'other'),
    serviceAccount: name,
    waypoint: optional(gateway),
    networkGateway: optional(gateway),
    workloadType: fc.constantFrom('deployment' as const, 'cronjob' as const, 'pod' as const, 'job' as const),
    nativeTunnel: fc.boolean(),
    applicationTunnel: optional(
      fc.record({
        protocol: fc.constantFrom('NONE' as const, 'PROXY' as const),
        port: optional(fc.integer({ min: 1, max: 65535 })),
      }),
    ),
    authorizationPolicies: fc.array(name, { maxLength: 2 }),
    status: fc.constantFrom('Healthy' as const, 'Unhealthy' as const),
    clusterId: name,
    locality: fc.record({ region: text, zone: text, subzone: text }),
    services: fc
      .array(fc.tuple(name, ports), { maxLength: 2 })
      .map((list) => new Map(list.map(([host, map]) => [`ns/${host}`, map]))),
    hostname: text,
    networkMode: fc.constantFrom('Standard' as const, 'HostNetwork' as const),
    capacity: fc.constantFrom(0, 1, 7),
  })
  .map(createWorkload);
const service: fc.Arbitrary<Service> = fc
  .record({
    name: text,
    namespace: text,
    hostname: name,
    vips: fc.array(fc.record({ network: text, address: ip }), { maxLength: 2 }),
    cidrVips: fc.array(fc.record({ network: text, cidr: block }), { maxLength: 2 }),
    ports,
    subjectAltNames: fc.array(name, { maxLength: 2 }),
    waypoint: optional(gateway),
    weightedWaypoints: fc.array(fc.record({ destination: gateway, weight: fc.nat({ max: 100 }) }), { maxLength: 2 }),
    loadBalancer: optional(
      fc.record({
        routingPreferences: fc.array(
          fc.constantFrom(
            'Region' as const,
            'Zone' as const,
            'Subzone' as const,
            'Node' as const,
            'Cluster' as const,
            'Network' as const,
          ),
        ),
        mode: fc.constantFrom('Standard' as const, 'Strict' as const, 'Failover' as const, 'Passthrough' as const),
        healthPolicy: fc.constantFrom('OnlyHealthy' as const, 'AllowAll' as const),
      }),
    ),
    ipFamilies: optional(fc.constantFrom('IPv4' as const, 'IPv6' as const, 'Dual' as const)),
    canonical: fc.boolean(),
    visibility: fc.constantFrom('Public' as const, 'Namespace' as const),
  })
  .map(createService);
const plain = (value: unknown) =>
  JSON.parse(
    JSON.stringify(value, (_, one) => (one instanceof Map ? [...one] : one instanceof Uint8Array ? [...one] : one)),
  );
const encodedWorkload = (one: pb.Workload) =>
  pb.Address.encode({ type: { $case: 'workload', workload: one } }).finish();
const encodedService = (one: pb.Service) => pb.Address.encode({ type: { $case: 'service', service: one } }).finish();

describe('the feed', () => {
  it('carries every field of a workload there and back', () => {
    fc.assert(
      fc.property(workload, (one) => {
        const decoded = decodeAddress(encodedWorkload(encodeWorkload(one)));
        assert.ok(decoded.ok && decoded.value.kind === 'workload');
        assert.deepEqual(plain(decoded.value.workload), plain(one));
      }),
      { numRuns: 500 },
    );
  });

  it('carries every field of a service there and back', () => {
    fc.assert(
      fc.property(service, (one) => {
        const decoded = decodeAddress(encodedService(encodeService(one)));
        assert.ok(decoded.ok && decoded.value.kind === 'service');
        assert.deepEqual(plain(decoded.value.service), plain(one));
      }),
      { numRuns: 500 },
    );
  });

  it('carries every field of a policy there and back', () => {
    const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
      fc.constant({ kind: 'presence' } as const),
      fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: text }),
    );
    const list = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
    const account = fc.record({ namespace: text, serviceAccount: text });
    const match: fc.Arbitrary<PolicyMatch> = fc
      .record({
        principals: list(stringMatch),
        notPrincipals: list(stringMatch),
        namespaces: list(stringMatch),
        notNamespaces: list(stringMatch),
        serviceAccounts: list(account),
        notServiceAccounts: list(account),
        sourceIps: list(block),
        notSourceIps: list(block),
        destinationIps: list(block),
        notDestinationIps: list(block),
        destinationPorts: list(fc.nat({ max: 65535 })),
        notDestinationPorts: list(fc.nat({ max: 65535 })),
      })
      .map(createPolicyMatch);
    const policy = fc.record({
      name,
      namespace: name,
      scope: fc.constantFrom('Global' as const, 'Namespace' as const, 'WorkloadSelector' as const),
      action: fc.constantFrom('Allow' as const, 'Deny' as const),
      dryRun: fc.boolean(),
      rules: list(list(list(match))),
    });
    fc.assert(
      fc.property(policy, (one) => {
        const decoded = decodeAuthorization(Authorization.encode(encodeAuthorization(one)).finish());
        assert.ok(decoded.ok);
        assert.deepEqual(plain(decoded.value), plain(one));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a resource', () => {
  const good = encodeWorkload(createWorkload({ uid: 'u' }));
  const destination = { $case: 'hostname' as const, hostname: { namespace: 'n', hostname: 'h' } };
  const goodService = encodeService(createService({ namespace: 'n', hostname: 'h' }));
  const refusals: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['without content', new Uint8Array(0), /neither a workload nor a service/],
    ['that is no protobuf', Uint8Array.of(0xff, 0xff, 0xff), /cannot be decoded/],
    ['without uid', encodedWorkload({ ...good, uid: '' }), /without uid/],
    ['without hostname', encodedService({ ...goodService, hostname: '' }), /without hostname/],
    ['with an address of five bytes', encodedWorkload({ ...good, addresses: [Buffer.alloc(5)] }), /address of 5 bytes/],
    ['with the legacy tunnel', encodedWorkload({ ...good, tunnelProtocol: 2 }), /unknown tunnel protocol: 2/],
    [
      'with an unknown type',
      encodedWorkload({ ...good, workloadType: 9 as pb.WorkloadType }),
      /unknown workload type: 9/,
    ],
    ['with an unknown status', encodedWorkload({ ...good, status: 9 as pb.WorkloadStatus }), /unknown workload status/],
    [
      'with an unknown network mode',
      encodedWorkload({ ...good, networkMode: 9 as pb.NetworkMode }),
      /unknown network mode/,
    ],
    [
      'with a service key without slash',
      encodedWorkload({ ...good, services: new Map([['x', { ports: [] }]]) }),
      /service key "x"/,
    ],
    [
      'with a service key of two slashes',
      encodedWorkload({ ...good, services: new Map([['a/b/c', { ports: [] }]]) }),
      /service key "a\/b\/c"/,
    ],
    [
      'with an empty waypoint',
      encodedWorkload({ ...good, waypoint: { destination: undefined, hboneMtlsPort: 1 } }),
      /gateway address without destination/,
    ],
    [
      'with a waypoint at a port that is none',
      encodedWorkload({ ...good, waypoint: { destination, hboneMtlsPort: 70_000 } }),
      /gateway address with port 70000/,
    ],
    [
      'with an application tunnel at a port that is none',
      encodedWorkload({ ...good, applicationTunnel: { protocol: 0, port: 65_536 } }),
      /application tunnel with port 65536/,
    ],
    [
      'with a prefix that does not fit',
      encodedService({ ...goodService, addresses: [{ network: '', address: Buffer.alloc(4), length: 33 }] }),
      /prefix of 33 bits/,
    ],
    [
      'with unknown families',
      encodedService({ ...goodService, ipFamilies: 9 as pb.IPFamilies }),
      /unknown IP families/,
    ],
  ];
  for (const [what, encoded, reason] of refusals) {
    it(`${what} is refused with a reason`, () => {
      const decoded = decodeAddress(encoded);
      assert.ok(!decoded.ok);
      assert.match(decoded.error, reason);
    });
  }

  it('gets the defaults of the feed', () => {
    const decoded = decodeAddress(
      encodedWorkload(
        pb.Workload.decode(
          pb.Workload.encode({ ...good, serviceAccount: '', trustDomain: '', clusterId: '' }).finish(),
        ),
      ),
    );
    assert.ok(decoded.ok && decoded.value.kind === 'workload');
    const { serviceAccount, trustDomain, clusterId, capacity } = decoded.value.workload;
    assert.deepEqual([serviceAccount, trustDomain, clusterId, capacity], ['default', 'cluster.local', 'Kubernetes', 1]);
  });

  it('with an unknown visibility is public', () => {
    const decoded = decodeAddress(encodedService({ ...goodService, visibility: 9 as pb.ServiceVisibility }));
    assert.ok(decoded.ok && decoded.value.kind === 'service' && decoded.value.service.visibility === 'Public');
  });
});
