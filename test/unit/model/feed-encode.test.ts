import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ipFromBytes, parseCidr, parseIpAddress } from '../../../src/model/address.ts';
import { decodeAddress } from '../../../src/model/feed-decode.ts';
import { encodeAuthorization, encodeService, encodeWorkload } from '../../../src/model/feed-encode.ts';
import { type AuthorizationPolicy, createPolicyMatch } from '../../../src/model/policy.ts';
import { decodeAuthorization } from '../../../src/model/policy-decode.ts';
import { createService, type Service } from '../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../src/model/workload.ts';
import { Authorization } from '../../../src/proto/gen/authorization.ts';
import { Address } from '../../../src/proto/gen/workload.ts';

/** Records with the prototype that decoded objects have. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const ip = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => ipFromBytes(bytes)!);
const word = fc.constantFrom('a', 'b-c', 'x.y');
const port = fc.integer({ min: 1, max: 65535 });
const gateway = fc.oneof(
  record({ network: word, address: ip }).map((address) => ({
    destination: { kind: 'address' as const, address },
    hboneMtlsPort: 15008,
  })),
  record({ namespace: word, hostname: word }).map((hostname) => ({
    destination: { kind: 'hostname' as const, hostname },
    hboneMtlsPort: 15008,
  })),
);
const ports = fc.array(fc.tuple(port, port), { maxLength: 3 }).map((pairs) => new Map(pairs));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const workloads: fc.Arbitrary<Workload> = record({
  uid: word,
  name: word,
  namespace: word,
  addresses: fc.array(ip, { maxLength: 2 }),
  network: fc.constantFrom('', 'n'),
  protocol: fc.constantFrom('HBONE' as const, 'TCP' as const),
  trustDomain: fc.constantFrom('cluster.local', 'x.org'),
  waypoint: maybe(gateway),
  networkGateway: maybe(gateway),
  nativeTunnel: fc.boolean(),
  workloadType: fc.constantFrom('deployment' as const, 'cronjob' as const, 'pod' as const, 'job' as const),
  authorizationPolicies: fc.array(fc.constant('ns/p'), { maxLength: 1 }),
  status: fc.constantFrom('Healthy' as const, 'Unhealthy' as const),
  applicationTunnel: maybe(record({ protocol: fc.constant('PROXY' as const), port: maybe(port) })),
  locality: record({
    region: fc.constantFrom('', 'r'),
    zone: fc.constantFrom('', 'z'),
    subzone: fc.constantFrom('', 's'),
  }),
  services: fc.array(fc.tuple(fc.constantFrom('ns/a', 'ns/b'), ports), { maxLength: 2 }).map((pairs) => new Map(pairs)),
  networkMode: fc.constantFrom('Standard' as const, 'HostNetwork' as const),
  capacity: fc.constantFrom(0, 1, 7),
}).map((fields) => createWorkload(fields));

const services: fc.Arbitrary<Service> = record({
  name: word,
  namespace: word,
  hostname: word,
  vips: fc.array(record({ network: word, address: ip }), { maxLength: 2 }),
  ports,
  subjectAltNames: fc.array(word, { maxLength: 2 }),
  waypoint: maybe(gateway),
  weightedWaypoints: fc.array(record({ destination: gateway, weight: fc.nat(100) }), { maxLength: 2 }),
  loadBalancer: maybe(
    record({
      routingPreferences: fc
        .subarray(['Network', 'Region', 'Zone', 'Subzone', 'Node', 'Cluster'] as const)
        .map((scopes) => [...scopes]),
      mode: fc.constantFrom('Standard' as const, 'Strict' as const, 'Failover' as const, 'Passthrough' as const),
      healthPolicy: fc.constantFrom('OnlyHealthy' as const, 'AllowAll' as const),
    }),
  ),
  ipFamilies: fc.constantFrom(undefined, 'IPv4' as const, 'IPv6' as const, 'Dual' as const),
  canonical: fc.boolean(),
  visibility: fc.constantFrom('Public' as const, 'Namespace' as const),
}).map((fields) => createService(fields));

describe('the encoded feed', () => {
  test('says of a workload what the proxy reads back', () => {
    fc.assert(
      fc.property(workloads, (workload) => {
        const bytes = Address.encode({ type: { $case: 'workload', workload: encodeWorkload(workload) } }).finish();
        const decoded = decodeAddress(bytes);
        assert.ok(decoded.ok, decoded.ok ? '' : decoded.error);
        assert.deepEqual(
          Object.values(decoded.value).find((value) => typeof value === 'object'),
          workload,
        );
      }),
    );
  });

  test('says of a service what the proxy reads back', () => {
    fc.assert(
      fc.property(services, (service) => {
        const bytes = Address.encode({ type: { $case: 'service', service: encodeService(service) } }).finish();
        const decoded = decodeAddress(bytes);
        assert.ok(decoded.ok, decoded.ok ? '' : decoded.error);
        assert.deepEqual(
          Object.values(decoded.value).find((value) => typeof value === 'object'),
          service,
        );
      }),
    );
  });

  test('says of a policy what the proxy reads back', () => {
    const policy: AuthorizationPolicy = {
      name: 'p',
      namespace: 'ns',
      scope: 'WorkloadSelector',
      action: 'Deny',
      dryRun: false,
      rules: [
        [
          [
            createPolicyMatch({
              principals: [
                { kind: 'exact', value: 'a' },
                { kind: 'prefix', value: 'b' },
                { kind: 'suffix', value: 'c' },
              ],
              notPrincipals: [{ kind: 'presence' }],
              sourceIps: [parseCidr('10.0.0.0/8')!],
              notDestinationIps: [parseCidr('fd00::/64')!],
              destinationPorts: [80, 65535],
              serviceAccounts: [{ namespace: 'a', serviceAccount: 'b' }],
            }),
          ],
          [createPolicyMatch({ namespaces: [{ kind: 'exact', value: 'x' }] })],
        ],
      ],
    };
    const decoded = decodeAuthorization(Authorization.encode(encodeAuthorization(policy)).finish());
    assert.ok(decoded.ok);
    const plain = (value: AuthorizationPolicy) =>
      JSON.parse(JSON.stringify(value, (_key, part) => (part instanceof Uint8Array ? [...part] : part)));
    assert.deepEqual(plain(decoded.value), plain(policy));
  });

  test('leaves out the default trust domain and the default capacity', () => {
    const encoded = encodeWorkload(createWorkload({ uid: 'u', addresses: [parseIpAddress('10.0.0.1')!] }));
    assert.deepEqual([encoded.trustDomain, encoded.capacity, encoded.locality], ['', undefined, undefined]);
  });
});
