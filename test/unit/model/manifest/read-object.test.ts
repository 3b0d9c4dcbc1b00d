import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { givenL7 } from '../../../../src/model/manifest/authorization-policy.ts';
import type { ManifestKind, ObjectOfKind } from '../../../../src/model/manifest/manifest-object.ts';
import { isReady } from '../../../../src/model/manifest/pod.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { authorizationPolicy, object, peerAuthentication, pod, service } from '../../../helpers/manifests.ts';

const nowhere = () => ({ file: 'f', line: 1, column: 1 });

function accepted<K extends ManifestKind>(kind: K, raw: unknown): ObjectOfKind<K> {
  const reading = readObject(raw, nowhere);
  assert.equal(reading.kind, 'accepted', JSON.stringify(reading));
  if (reading.kind !== 'accepted' || reading.object.kind !== kind) throw new Error('another kind');
  return reading.object as ObjectOfKind<K>;
}

function refusals(raw: unknown): string[] {
  const reading = readObject(raw, nowhere);
  return reading.kind === 'refused' ? reading.problems.map((problem) => `${problem.field}: ${problem.reason}`) : [];
}

describe('Pod', () => {
  test('keeps what the local engine runs: command, args, plain env, ports and the readiness probe', () => {
    const raw = pod({ name: 'a', ports: [{ name: 'http', containerPort: 80 }] });
    Object.assign((raw['spec'] as { containers: object[] }).containers[0]!, {
      command: ['node'],
      args: ['x.js'],
      env: [
        { name: 'A', value: '1' },
        { name: 'B', valueFrom: { fieldRef: {} } },
      ],
      readinessProbe: { httpGet: { port: 'http', path: '/ready' }, periodSeconds: 3 },
    });
    const [container] = accepted('Pod', raw).spec.containers;
    assert.deepEqual([container!.command, container!.args, [...container!.env]], [['node'], ['x.js'], [['A', '1']]]);
    assert.deepEqual(container!.readinessProbe, {
      kind: 'http',
      port: 'http',
      path: '/ready',
      periodMs: 3000,
      delayMs: 0,
    });
  });

  test('is ready by its condition, or by running where nobody reports one, and never while deleted', () => {
    const bare = (status: unknown) =>
      accepted('Pod', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: {}, status });
    assert.equal(isReady(bare({ podIP: '10.0.0.1' })), true);
    assert.equal(isReady(bare({ phase: 'Pending' })), false);
    assert.equal(isReady(bare({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] })), false);
    assert.equal(isReady(accepted('Pod', pod({ name: 'a', deleting: true }))), false);
  });

  test('writes addresses in canonical form, each once', () => {
    assert.deepEqual(accepted('Pod', pod({ name: 'a', ips: ['10.0.0.1', 'FD00:0::1'] })).status.addresses, [
      '10.0.0.1',
      'fd00::1',
    ]);
  });
});

describe('Service', () => {
  test('tells headless, dual-stack and external services apart', () => {
    assert.equal(accepted('Service', service('a', { clusterIP: 'None' })).headless, true);
    assert.equal(accepted('Service', service('a', { ipFamilyPolicy: 'PreferDualStack' })).dualStackWanted, true);
    assert.deepEqual(accepted('Service', service('a', { clusterIPs: ['10.96.0.1', 'fd00::1'] })).clusterIps, [
      '10.96.0.1',
      'fd00::1',
    ]);
    assert.equal(accepted('Service', service('a', { type: 'ExternalName' })).ports.length, 0);
  });

  test('refuses ports that clash, lack names, or are out of range', () => {
    const ports = [{ port: 80 }, { port: 80 }, { name: 'x', port: 70_000 }];
    assert.deepEqual(
      refusals(service('a', { ports })).map((text) => text.split(':')[0]),
      ['spec.ports[0].name', 'spec.ports[1].port', 'spec.ports[1].name', 'spec.ports[2].port'],
    );
    assert.equal(refusals(service('a', { clusterIP: '10.96.0.999' })).length, 1);
  });
});

describe('AuthorizationPolicy', () => {
  const rule = (fields: unknown) => authorizationPolicy('p', { rules: [fields] });

  test('refuses whatever would silently widen or empty a rule', () => {
    const bad: [string, unknown][] = [
      ['unknown field of a source', rule({ from: [{ source: { princpals: ['x'] } }] })],
      ['unknown field of a rule', rule({ form: [] })],
      ['unknown field of the spec', authorizationPolicy('p', { rule: [] })],
      ['empty list of sources', rule({ from: [] })],
      ['empty source', rule({ from: [{ source: {} }] })],
      ['missing operation', rule({ to: [{}] })],
      ['empty list of values', rule({ from: [{ source: { namespaces: [] } }] })],
      ['empty value', rule({ from: [{ source: { namespaces: [''] } }] })],
      ['bad CIDR', rule({ from: [{ source: { ipBlocks: ['10.0.0.0/33'] } }] })],
      ['bad port', rule({ to: [{ operation: { ports: ['80a'] } }] })],
      ['port as a number', rule({ to: [{ operation: { ports: [80] } }] })],
      ['unknown condition', rule({ when: [{ key: 'source.port', values: ['1'] }] })],
      ['condition without values', rule({ when: [{ key: 'source.ip' }] })],
      ['condition with a bad address', rule({ when: [{ key: 'source.ip', values: ['x'] }] })],
      ['service accounts with principals', rule({ from: [{ source: { serviceAccounts: ['a'], principals: ['b'] } }] })],
      ['service account with a wildcard', rule({ from: [{ source: { serviceAccounts: ['a*'] } }] })],
      ['DENY without rules', authorizationPolicy('p', { action: 'DENY' })],
      ['unknown action', authorizationPolicy('p', { action: 'deny', rules: [{}] })],
      ['selector and targets', authorizationPolicy('p', { selector: { matchLabels: { a: 'b' } }, targetRefs: [{}] })],
    ];
    for (const [what, raw] of bad) assert.notEqual(refusals(raw).length, 0, what);
  });

  test('accepts every attribute of Istio and remembers which need L7', () => {
    const policy = accepted(
      'AuthorizationPolicy',
      rule({
        from: [{ source: { principals: ['*'], requestPrincipals: ['*'], remoteIpBlocks: ['10.0.0.0/8'] } }],
        to: [{ operation: { ports: ['80'], methods: ['GET'], notPaths: ['/x*'] } }],
        when: [{ key: 'request.headers[x]', notValues: ['a'] }],
      }),
    );
    assert.deepEqual(givenL7(policy.rules[0]!.from[0]!.l7), ['requestPrincipals', 'remoteIpBlocks']);
    assert.deepEqual(givenL7(policy.rules[0]!.to[0]!.l7), ['methods', 'notPaths']);
  });
});

describe('PeerAuthentication', () => {
  test('refuses ports without a selector, an empty port map, bad ports and bad modes', () => {
    const selector = { matchLabels: { a: 'b' } };
    assert.equal(refusals(peerAuthentication('p', { portLevelMtls: { '80': { mode: 'STRICT' } } })).length, 1);
    assert.equal(refusals(peerAuthentication('p', { selector, portLevelMtls: {} })).length, 1);
    assert.equal(refusals(peerAuthentication('p', { selector, portLevelMtls: { '0': { mode: 'STRICT' } } })).length, 1);
    assert.equal(refusals(peerAuthentication('p', { mtls: { mode: 'strict' } })).length, 1);
    assert.equal(refusals(peerAuthentication('p', { mtls: { Mode: 'STRICT' } })).length, 1);
  });
});

describe('ServiceEntry', () => {
  const entry = (spec: object) => object('networking.istio.io/v1', 'ServiceEntry', 's', { hosts: ['x.org'], ...spec });

  test('refuses combinations that cannot work', () => {
    const bad = [
      { hosts: [] },
      { hosts: ['*'] },
      { addresses: ['10.0.0.0/8'], resolution: 'DNS' },
      { endpoints: [{ address: '1.2.3.4' }] },
      { resolution: 'STATIC', endpoints: [{ address: 'x.org' }] },
      { resolution: 'STATIC', endpoints: [{ address: '1.2.3.4' }], workloadSelector: { labels: { a: 'b' } } },
      { resolution: 'DNS', hosts: ['*.x.org'] },
      { resolution: 'DNS_ROUND_ROBIN', endpoints: [{ address: 'a.org' }, { address: 'b.org' }] },
      {
        ports: [
          { number: 80, name: 'a' },
          { number: 80, name: 'b' },
        ],
      },
    ];
    for (const spec of bad) assert.equal(refusals(entry(spec)).length, 1, JSON.stringify(spec));
  });

  test('separates addresses from blocks and lower-cases hosts', () => {
    const { addresses, cidrs, hosts } = accepted(
      'ServiceEntry',
      entry({ hosts: ['X.org'], addresses: ['10.0.0.1', '10.1.0.0/16'] }),
    );
    assert.deepEqual([addresses, cidrs.length, hosts], [['10.0.0.1'], 1, ['x.org']]);
  });
});

describe('Gateway', () => {
  test('admits its own namespace unless it says more', () => {
    const gateway = accepted(
      'Gateway',
      object('gateway.networking.k8s.io/v1', 'Gateway', 'wp', {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
      }),
    );
    assert.deepEqual([gateway.listeners[0]!.allowedFrom, gateway.waypointFor], ['Same', undefined]);
  });
});
