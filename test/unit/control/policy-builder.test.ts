import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { buildAuthorization, buildPeerAuthentication, l7Attributes } from '../../../src/control/policy-builder.ts';
import { type Cidr, cidrContains, ipToBytes, parseIpAddress } from '../../../src/model/address.ts';
import type { AuthorizationPolicyObject } from '../../../src/model/manifest/authorization-policy.ts';
import type { PeerAuthenticationObject } from '../../../src/model/manifest/peer-authentication.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import type { AuthorizationPolicy, PolicyMatch, StringMatch } from '../../../src/model/policy.ts';
import { authorizationPolicy, peerAuthentication } from '../../helpers/manifests.ts';

interface Connection {
  /** `td/ns/<ns>/sa/<sa>`, or undefined for plain text. */
  readonly identity: { readonly namespace: string; readonly account: string } | undefined;
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly port: number;
}

function parse(object: unknown): AuthorizationPolicyObject | PeerAuthenticationObject {
  const reading = readObject(object, () => ({ file: 'f', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  const { object: parsed } = reading;
  if (parsed.kind !== 'AuthorizationPolicy' && parsed.kind !== 'PeerAuthentication') throw new Error(parsed.kind);
  return parsed;
}

function build(
  spec: unknown,
  meta: Record<string, unknown> = {},
  mesh = DEFAULT_MESH_OPTIONS,
): AuthorizationPolicy | undefined {
  const parsed = parse(authorizationPolicy('p', spec, meta));
  if (parsed.kind !== 'AuthorizationPolicy') throw new Error('not a policy');
  return buildAuthorization(parsed, mesh);
}

// The L4 side: facts ztunnel-wire 9.1 and 9.2, word for word and slow.

function principalText(connection: Connection): string | undefined {
  const { identity } = connection;
  return identity && `cluster.local/ns/${identity.namespace}/sa/${identity.account}`;
}

function stringMatches(match: StringMatch, text: string): boolean {
  switch (match.kind) {
    case 'exact':
      return text === match.value;
    case 'prefix':
      return text.startsWith(match.value);
    case 'suffix':
      return text.endsWith(match.value);
    case 'presence':
      return text !== '';
  }
}

function l4Matches(policy: AuthorizationPolicy, connection: Connection): boolean {
  return policy.rules.some((rule) =>
    rule.every((clause) => clause.length === 0 || clause.some((match) => l4MatchHolds(match, connection))),
  );
}

function l4MatchHolds(match: PolicyMatch, connection: Connection): boolean {
  if (Object.values(match).every((list) => list.length === 0)) return false;
  const both = <T>(positive: readonly T[], negative: readonly T[], holds: (item: T) => boolean) =>
    (positive.length === 0 || positive.some(holds)) && !negative.some(holds);
  const principal = principalText(connection);
  const { identity } = connection;
  const inCidr = (ip: string) => (cidr: Cidr) => cidrContains(cidr, ipToBytes(parseIpAddress(ip)!));
  return (
    both(match.principals, match.notPrincipals, (m) => principal !== undefined && stringMatches(m, principal)) &&
    both(match.namespaces, match.notNamespaces, (m) => stringMatches(m, identity?.namespace ?? '')) &&
    both(
      match.serviceAccounts,
      match.notServiceAccounts,
      (m) => identity?.namespace === m.namespace && identity.account === m.serviceAccount,
    ) &&
    both(match.sourceIps, match.notSourceIps, inCidr(connection.sourceIp)) &&
    both(match.destinationIps, match.notDestinationIps, inCidr(connection.destinationIp)) &&
    both(match.destinationPorts, match.notDestinationPorts, (port) => port === connection.port)
  );
}

// The oracle: what the custom resource says, from its raw form, sharing no code with the builder.

type Lists = Record<string, string[]>;
interface RawRule {
  from?: { source: Lists }[];
  to?: { operation: Lists }[];
  when?: { key: string; values?: string[]; notValues?: string[] }[];
}

function glob(pattern: string, text: string | undefined): boolean {
  if (text === undefined || text === '') return false;
  if (pattern === '*') return true;
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1));
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1));
  return text === pattern;
}

function ipNumber(ip: string): bigint {
  return ip.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function inBlock(block: string, ip: string): boolean {
  const [base = '', length = '32'] = block.split('/');
  const shift = 32n - BigInt(length);
  return ipNumber(base) >> shift === ipNumber(ip) >> shift;
}

function attribute(name: string, value: string, connection: Connection): boolean {
  const { identity } = connection;
  switch (name) {
    case 'principals':
    case 'source.principal':
      return glob(value, principalText(connection));
    case 'namespaces':
    case 'source.namespace':
      return glob(value, identity?.namespace);
    case 'serviceAccounts':
      return (
        identity !== undefined &&
        [`${identity.namespace}/${identity.account}`].includes(value.includes('/') ? value : `demo/${value}`)
      );
    case 'ipBlocks':
    case 'source.ip':
      return inBlock(value, connection.sourceIp);
    case 'destination.ip':
      return inBlock(value, connection.destinationIp);
    case 'ports':
    case 'destination.port':
      return Number(value) === connection.port;
    default:
      throw new Error(`the oracle does not know ${name}`);
  }
}

const L7 = new Set(['methods', 'hosts', 'requestPrincipals', 'notPaths']);
const L7_KEY = 'request.headers[x]';

/** Undefined: nothing of it is left for L4. */
function partHolds(lists: Lists, connection: Connection): boolean | undefined {
  const l4 = Object.entries(lists).filter(([name]) => !L7.has(name));
  if (l4.length === 0) return undefined;
  return l4.every(([name, values]) => {
    if (!name.startsWith('not')) return values.some((value) => attribute(name, value, connection));
    const positive = name.charAt(3).toLowerCase() + name.slice(4);
    return !values.some((value) => attribute(positive, value, connection));
  });
}

function ruleHolds(rule: RawRule, action: string, connection: Connection): boolean {
  const parts = [...(rule.from ?? []).map((entry) => entry.source), ...(rule.to ?? []).map((entry) => entry.operation)];
  const conditions = rule.when ?? [];
  const needsL7 =
    parts.some((part) => Object.keys(part).some((name) => L7.has(name))) || conditions.some((c) => c.key === L7_KEY);
  if (action === 'ALLOW' && needsL7) return false;
  const l4Conditions = conditions.filter((condition) => condition.key !== L7_KEY);
  if (parts.length === 0 && l4Conditions.length === 0 && conditions.length > 0) return false;
  const from = rule.from?.some((entry) => partHolds(entry.source, connection) === true) ?? true;
  const to = rule.to?.some((entry) => partHolds(entry.operation, connection) === true) ?? true;
  return (
    from &&
    to &&
    l4Conditions.every(
      ({ key, values = [], notValues = [] }) =>
        (values.length === 0 || values.some((value) => attribute(key, value, connection))) &&
        !notValues.some((value) => attribute(key, value, connection)),
    )
  );
}

const namespaces = fc.constantFrom('demo', 'other', 'de');
const accounts = fc.constantFrom('web', 'client', 'w');
const ips = fc.constantFrom('10.0.0.1', '10.0.1.1', '192.168.0.7');
const connections: fc.Arbitrary<Connection> = fc.record({
  identity: fc.option(fc.record({ namespace: namespaces, account: accounts }), { nil: undefined }),
  sourceIp: ips,
  destinationIp: ips,
  port: fc.constantFrom(80, 8080, 443),
});
const some = (values: string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const principals = some([
  '*',
  'cluster.local/ns/demo/sa/web',
  'cluster.local/ns/demo/*',
  '*/sa/client',
  'cluster.local/*',
]);
const namespacePatterns = some(['demo', 'de*', '*er', '*', 'nowhere']);
const blocks = some(['10.0.0.0/24', '10.0.0.1', '0.0.0.0/0', '192.168.0.0/16']);
const ports = some(['80', '8080', '443']);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const present = (lists: Record<string, string[] | undefined>): Lists =>
  Object.fromEntries(Object.entries(lists).filter((entry): entry is [string, string[]] => entry[1] !== undefined));
const nonEmpty = (lists: Lists) => Object.keys(lists).length > 0;
const identitySource = fc
  .record({
    principals: optional(principals),
    notPrincipals: optional(principals),
    namespaces: optional(namespacePatterns),
    notNamespaces: optional(namespacePatterns),
    ipBlocks: optional(blocks),
    notIpBlocks: optional(blocks),
    requestPrincipals: optional(some(['*'])),
  })
  .map(present)
  .filter(nonEmpty);
const accountSource = fc
  .record({
    serviceAccounts: optional(some(['web', 'other/client', 'demo/w'])),
    notServiceAccounts: optional(some(['client', 'other/web'])),
  })
  .map(present)
  .filter(nonEmpty);
const operation = fc
  .record({
    ports: optional(ports),
    notPorts: optional(ports),
    methods: optional(some(['GET'])),
    notPaths: optional(some(['/x'])),
  })
  .map(present)
  .filter(nonEmpty);
const conditionOf = (key: string, values: fc.Arbitrary<string[]>) =>
  fc
    .record({ values: optional(values), notValues: optional(values) })
    .filter((lists) => lists.values !== undefined || lists.notValues !== undefined)
    .map((lists) => ({ key, ...present(lists) }));
const condition = fc.oneof(
  conditionOf('source.ip', blocks),
  conditionOf('source.namespace', namespacePatterns),
  conditionOf('source.principal', principals),
  conditionOf('destination.ip', blocks),
  conditionOf('destination.port', ports),
  conditionOf(L7_KEY, some(['a'])),
);
const rawRule: fc.Arbitrary<RawRule> = fc
  .record({
    from: optional(
      fc.array(
        fc.oneof(identitySource, accountSource).map((source) => ({ source })),
        { minLength: 1, maxLength: 2 },
      ),
    ),
    to: optional(
      fc.array(
        operation.map((op) => ({ operation: op })),
        { minLength: 1, maxLength: 2 },
      ),
    ),
    when: optional(fc.array(condition, { minLength: 1, maxLength: 2 })),
  })
  .map((rule) => Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined)) as RawRule);

describe('buildAuthorization', () => {
  test('matches exactly the connections that the custom resource describes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('ALLOW', 'DENY'),
        fc.array(rawRule, { minLength: 1, maxLength: 3 }),
        fc.array(connections, { minLength: 1, maxLength: 8 }),
        (action, rules, calls) => {
          const policy = build({ action, rules });
          for (const call of calls) {
            assert.equal(
              l4Matches(policy!, call),
              rules.some((rule) => ruleHolds(rule, action, call)),
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('keeps an ALLOW policy whose only rule needs L7, so that nothing is allowed', () => {
    const policy = build({ rules: [{ to: [{ operation: { methods: ['GET'] } }] }] });
    assert.deepEqual(policy?.rules, []);
    assert.equal(policy?.action, 'Allow');
  });

  test('turns an empty rule into one that matches everything, and an empty spec into one that matches nothing', () => {
    assert.deepEqual(build({ rules: [{}] })?.rules, [[]]);
    assert.deepEqual(build({})?.rules, []);
  });

  test('orders clauses as Istio does: to, from, when', () => {
    const [rule] = build({
      rules: [
        {
          when: [{ key: 'source.ip', values: ['10.0.0.0/8'] }],
          from: [{ source: { namespaces: ['x'] } }],
          to: [{ operation: { ports: ['80'] } }],
        },
      ],
    })!.rules;
    assert.deepEqual(
      rule!.map((clause) => Object.entries(clause[0]!).find(([, list]) => list.length > 0)?.[0]),
      ['destinationPorts', 'namespaces', 'sourceIps'],
    );
  });

  test('takes the scope from selector and namespace', () => {
    const selector = { matchLabels: { a: 'b' } };
    assert.equal(build({ selector })?.scope, 'WorkloadSelector');
    assert.equal(build({})?.scope, 'Namespace');
    assert.equal(build({}, { namespace: 'istio-system' })?.scope, 'Global');
    assert.equal(build({ selector }, { namespace: 'istio-system' })?.scope, 'WorkloadSelector');
  });

  test('sends no targeted, AUDIT or CUSTOM policies, and dry-run ones unless told not to', () => {
    assert.equal(build({ targetRefs: [{ kind: 'Service', name: 'x' }] }), undefined);
    assert.equal(build({ action: 'AUDIT', rules: [{}] }), undefined);
    assert.equal(build({ action: 'CUSTOM', provider: { name: 'x' }, rules: [{}] }), undefined);
    const dryRun = { annotations: { 'istio.io/dry-run': 'true' } };
    assert.equal(build({}, dryRun)?.dryRun, true);
    assert.equal(build({}, dryRun, { ...DEFAULT_MESH_OPTIONS, sendDryRunPolicies: false }), undefined);
  });

  test('names the attributes that L4 cannot check', () => {
    const parsed = parse(
      authorizationPolicy('p', {
        rules: [{ to: [{ operation: { methods: ['GET'] } }], when: [{ key: L7_KEY, values: ['a'] }] }],
      }),
    );
    assert.deepEqual(parsed.kind === 'AuthorizationPolicy' && l7Attributes(parsed), ['methods', L7_KEY]);
  });
});

describe('buildPeerAuthentication', () => {
  const selector = { matchLabels: { app: 'web' } };
  const converted = (spec: object, inheritedStrict = false) => {
    const parsed = parse(peerAuthentication('pa', { selector, ...spec }));
    return parsed.kind === 'PeerAuthentication' ? buildPeerAuthentication(parsed, inheritedStrict) : undefined;
  };
  const plain = (port: number): Connection => ({
    identity: undefined,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.1',
    port,
  });
  const meshed = (port: number): Connection => ({ ...plain(port), identity: { namespace: 'demo', account: 'x' } });

  test('denies plain text except on the ports that are exempt from STRICT', () => {
    const policy = converted({
      mtls: { mode: 'STRICT' },
      portLevelMtls: { '80': { mode: 'PERMISSIVE' }, '443': { mode: 'DISABLE' } },
    })!;
    assert.equal(policy.name, 'converted_peer_authentication_pa');
    assert.deepEqual(
      [l4Matches(policy, plain(80)), l4Matches(policy, plain(443)), l4Matches(policy, plain(8080))],
      [false, false, true],
    );
    assert.equal(l4Matches(policy, meshed(8080)), false);
  });

  test('denies plain text only on the ports that are STRICT under PERMISSIVE', () => {
    const policy = converted({ portLevelMtls: { '80': { mode: 'STRICT' }, '443': { mode: 'STRICT' } } })!;
    assert.deepEqual(
      [80, 443, 8080].map((port) => l4Matches(policy, plain(port))),
      [true, true, false],
    );
    assert.equal(l4Matches(policy, meshed(80)), false);
  });

  test('needs no policy of its own where no port differs from the mode, inherited or own', () => {
    assert.equal(converted({ mtls: { mode: 'STRICT' } }), undefined);
    assert.equal(converted({ mtls: { mode: 'STRICT' }, portLevelMtls: { '80': { mode: 'UNSET' } } }), undefined);
    assert.equal(converted({ portLevelMtls: { '80': { mode: 'STRICT' } } }, true), undefined);
    assert.ok(converted({ portLevelMtls: { '80': { mode: 'PERMISSIVE' } } }, true));
  });
});
