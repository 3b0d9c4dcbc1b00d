import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { FakeCertificateSource } from '../../../src/hbone/fake-certificate-source.ts';
import { MeshState } from '../../../src/mesh/mesh-state.ts';
import { createPolicyMatch } from '../../../src/model/policy.ts';
import type { SpiffeId } from '../../../src/model/spiffe.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import { readZtunnelConfig } from '../../../src/ztunnel/config.ts';
import { configDump } from '../../../src/ztunnel/config-dump.ts';
import { clusterService, endpointOf, gatewayByAddress, identityOf, ip } from '../../helpers/mesh-objects.ts';

/** Key sets of facts samples/ztunnel-config-dump.json: what every entry there has. */
const KEYS = {
  workload:
    'authorizationPolicies canonicalName canonicalRevision capacity clusterId locality name namespace networkMode node protocol serviceAccount status trustDomain uid workloadIps workloadName workloadType',
  service: 'canonical endpoints hostname ipFamilies name namespace ports subjectAltNames vips visibility',
  policy: 'action dryRun name namespace rules scope',
  certificate: 'certChain identity rootCerts state',
  pem: 'expirationTime pem serialNumber validFrom',
};

interface Dump {
  readonly [list: string]: readonly Record<string, unknown>[];
}

async function dump() {
  const state = new MeshState();
  state.apply([
    {
      kind: 'workload',
      workload: createWorkload({
        uid: 'u',
        name: 'w',
        namespace: 'default',
        addresses: [ip('10.0.0.1')],
        protocol: 'HBONE',
        node: 'n',
        canonicalName: 'w',
        canonicalRevision: 'latest',
        workloadName: 'w',
        authorizationPolicies: ['default/p'],
        locality: { region: 'r', zone: '', subzone: '' },
        waypoint: gatewayByAddress('10.0.0.9'),
        ...endpointOf('staged', { 80: 8080 }),
      }),
    },
    { kind: 'service', service: clusterService('s', '10.96.0.1', { 443: 8443 }, { ipFamilies: 'IPv4' }) },
    {
      kind: 'policy',
      policy: {
        name: 'p',
        namespace: 'default',
        scope: 'WorkloadSelector',
        action: 'Deny',
        dryRun: false,
        rules: [[[createPolicyMatch({ notPrincipals: [{ kind: 'presence' }], destinationPorts: [80] })]]],
      },
    },
  ]);
  const identity = identityOf('w') as SpiffeId;
  const certificate = await new FakeCertificateSource(3_600_000, systemClock).fetch(identity);
  const result = configDump({
    state,
    config: readZtunnelConfig({ AUTH_TOKEN: 'secret-token', XDS_HEADER_x: 'secret-header' }),
    version: { version: 'v' },
    certificates: [
      [identity, { kind: 'Available', certificate }],
      ['b', { kind: 'Unavailable', error: 'no' }],
      ['c', { kind: 'Initializing' }],
    ],
    pods: [{ uid: 'pod', state: 'Up', info: { name: 'w', namespace: 'default', serviceAccount: 'w' } }],
    connections: new Map([
      ['pod', [{ direction: 'inbound', src: 'a', originalDst: 'b', actualDst: 'c', protocol: 'HBONE' }]],
    ]),
  });
  return JSON.stringify(result);
}

describe('the configuration dump', () => {
  it('has the keys of the real peers', async () => {
    const parsed = JSON.parse(await dump()) as Dump;
    const has = (entry: unknown, keys: string) => {
      for (const key of keys.split(' '))
        assert.ok(Object.hasOwn(entry as object, key), `${key} in ${JSON.stringify(entry)}`);
    };
    has(parsed['workloads']?.[0], KEYS.workload);
    has(parsed['services']?.[0], KEYS.service);
    has(parsed['policies']?.[0], KEYS.policy);
    for (const certificate of parsed['certificates'] ?? []) has(certificate, KEYS.certificate);
    const [first] = (parsed['certificates']?.[0]?.['certChain'] ?? []) as readonly Record<string, string>[];
    has(first, KEYS.pem);
    assert.match(first?.['serialNumber'] ?? '', /^\d+$/);
    assert.match(first?.['validFrom'] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(Buffer.from(first?.['pem'] ?? '', 'base64').toString(), /^-----BEGIN CERTIFICATE-----/);
  });

  it('has their spellings', async () => {
    const parsed = JSON.parse(await dump());
    assert.deepEqual(parsed.services[0].vips, ['/10.96.0.1']);
    assert.deepEqual(parsed.services[0].ports, { 443: 8443 });
    assert.deepEqual(parsed.workloads[0].waypoint, { destination: '/10.0.0.9', hboneMtlsPort: 15_008 });
    assert.deepEqual(parsed.policies[0].rules, [[[{ notPrincipals: [{ Presence: [] }], destinationPorts: [80] }]]]);
    assert.deepEqual(Object.keys(parsed.stagedServices), ['default/staged.default.svc.cluster.local']);
    assert.deepEqual(
      parsed.certificates.map((one: { state: string }) => one.state),
      ['Available', 'Unavailable: no', 'Initializing'],
    );
    assert.deepEqual(parsed.workloadState.pod, {
      state: 'Up',
      connections: { inbound: [{ src: 'a', originalDst: 'b', actualDst: 'c', protocol: 'HBONE' }], outbound: [] },
      info: { name: 'w', namespace: 'default', serviceAccount: 'w' },
    });
  });

  it('tells no secret', async () => {
    const text = await dump();
    for (const secret of ['secret-token', 'secret-header', 'PRIVATE KEY']) assert.equal(text.includes(secret), false);
  });
});
