import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AuthorizationInput, PolicySet } from '../../../src/authz/evaluate.ts';
import { type Cidr, ipToBytes, parseCidr, parseIpAddress } from '../../../src/model/address.ts';
import {
  type AuthorizationPolicy,
  createPolicyMatch,
  type PolicyMatch,
  type PolicyRule,
  type StringMatch,
} from '../../../src/model/policy.ts';
import type { Identity } from '../../../src/model/spiffe.ts';

const ip = (text: string) => parseIpAddress(text) ?? assert.fail(text);
const cidr = (text: string): Cidr => parseCidr(text) ?? assert.fail(text);

const IDENTITY: Identity = { trustDomain: 'td', namespace: 'a', serviceAccount: 'x' };

function input(fields: Partial<AuthorizationInput> = {}): AuthorizationInput {
  return {
    identity: IDENTITY,
    sourceIp: ip('10.0.0.1'),
    destinationIp: ip('10.0.0.2'),
    destinationPort: 80,
    ...fields,
  };
}

function policy(action: 'Allow' | 'Deny', rules: readonly PolicyRule[], fields: Partial<AuthorizationPolicy> = {}) {
  const defaults = { name: 'p', namespace: 'n', scope: 'Namespace', dryRun: false } as const;
  return { ...defaults, action, rules, ...fields };
}

const matchPort = (port: number) => createPolicyMatch({ destinationPorts: [port] });
const isAllowed = (policies: readonly AuthorizationPolicy[], over: Partial<AuthorizationInput> = {}) =>
  new PolicySet(policies).authorize(input(over)).decision.allowed;

describe('the order of decisions', () => {
  const all: readonly PolicyRule[] = [[]];
  it('allows without policies', () => assert.equal(isAllowed([]), true));
  it('denies when an allow policy exists and none matches', () => {
    const { decision } = new PolicySet([policy('Allow', [[[matchPort(81)]]])]).authorize(input());
    assert.deepEqual(decision, {
      allowed: false,
      policy: undefined,
      reason: 'allow policies exist, but none allowed',
    });
  });
  it('denies by name, whatever allows', () => {
    const no = policy('Deny', all, { name: 'no' });
    const { decision } = new PolicySet([policy('Allow', all), no]).authorize(input());
    assert.deepEqual(decision, { allowed: false, policy: no, reason: 'explicitly denied by: n/no' });
  });
  it('reports dry-run matches and lets them decide nothing, also when they are all there is', () => {
    const dry = [policy('Deny', all, { dryRun: true }), policy('Allow', [], { dryRun: true, name: 'never' })];
    const { decision, dryRun } = new PolicySet(dry).authorize(input());
    assert.equal(decision.allowed, true);
    assert.deepEqual(dryRun, [dry[0]]);
  });
});

describe('what is asked after a decision', () => {
  const all: readonly PolicyRule[] = [[]];
  it('changes neither who allowed nor who denied', () => {
    const named = (name: string, action: 'Allow' | 'Deny') => policy(action, all, { name });
    const allows = [named('first', 'Allow'), named('second', 'Allow')];
    assert.equal(new PolicySet(allows).authorize(input()).decision.policy?.name, 'first');
    const denies = [...allows, named('no', 'Deny'), named('never', 'Deny')];
    assert.equal(new PolicySet(denies).authorize(input()).decision.policy?.name, 'no');
  });
  it('is what runs dry, whoever decided', () => {
    const dry = [policy('Deny', all, { dryRun: true, name: 'a' }), policy('Allow', all, { dryRun: true, name: 'b' })];
    const { dryRun } = new PolicySet([policy('Allow', all), policy('Deny', all), ...dry]).authorize(input());
    assert.deepEqual(dryRun, dry);
  });
});

describe('a match with one field', () => {
  const filled: Partial<PolicyMatch> = {
    namespaces: [{ kind: 'exact', value: 'a' }],
    notNamespaces: [{ kind: 'exact', value: 'b' }],
    serviceAccounts: [{ namespace: 'a', serviceAccount: 'x' }],
    notServiceAccounts: [{ namespace: 'a', serviceAccount: 'y' }],
    principals: [{ kind: 'suffix', value: '/sa/x' }],
    notPrincipals: [{ kind: 'suffix', value: '/sa/y' }],
    sourceIps: [cidr('10.0.0.1')],
    notSourceIps: [cidr('10.0.0.2')],
    destinationIps: [cidr('10.0.0.2')],
    notDestinationIps: [cidr('10.0.0.1')],
    destinationPorts: [80],
    notDestinationPorts: [81],
  };
  for (const [name, values] of Object.entries(filled)) {
    it(`is not empty: ${name}`, () => {
      assert.equal(isAllowed([policy('Deny', [[[createPolicyMatch({ [name]: values })]]])]), false);
    });
  }
});

describe('empty things', () => {
  const empty = createPolicyMatch();
  for (const [what, rules, matches] of [
    ['a policy without rules', [], false],
    ['a rule without clauses', [[]], true],
    ['a clause without matches', [[[]]], true],
    ['a match without fields', [[[empty]]], false],
    ['an empty match beside one that holds', [[[empty, matchPort(80)]]], true],
    ['a clause of an empty match beside one that holds', [[[empty], [matchPort(80)]]], false],
  ] as const) {
    it(`${what} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(isAllowed([policy('Deny', rules)]), !matches);
    });
  }
});

describe('a caller without identity', () => {
  const plain = { identity: undefined };
  const denies = (match: Partial<PolicyMatch>) => !isAllowed([policy('Deny', [[[createPolicyMatch(match)]]])], plain);
  const presence: StringMatch = { kind: 'presence' };
  it('is what "no principal" means', () => assert.equal(denies({ notPrincipals: [presence] }), true));
  it('has no principal', () => assert.equal(denies({ principals: [presence] }), false));
  it('has no namespace, so that one is not it', () => {
    assert.equal(denies({ namespaces: [presence] }), false);
    assert.equal(denies({ notNamespaces: [{ kind: 'exact', value: 'a' }] }), true);
  });
  it('has no service account', () => {
    assert.equal(denies({ serviceAccounts: [{ namespace: '', serviceAccount: '' }] }), false);
    assert.equal(denies({ notServiceAccounts: [{ namespace: 'a', serviceAccount: 'x' }] }), true);
  });
});

describe('service accounts', () => {
  it('are compared as pairs, in any trust domain', () => {
    const match = createPolicyMatch({ serviceAccounts: [{ namespace: 'a', serviceAccount: 'x' }] });
    const rules = [[[match]]];
    assert.equal(isAllowed([policy('Allow', rules)], { identity: { ...IDENTITY, trustDomain: 'other' } }), true);
    assert.equal(isAllowed([policy('Allow', rules)], { identity: { ...IDENTITY, namespace: 'x' } }), false);
  });
});

/** The semantics of facts 9.1 and 9.2 once more, in the most literal way. */
function oracle(policies: readonly AuthorizationPolicy[], over: AuthorizationInput): boolean {
  const id = over.identity;
  const principal = id ? `${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}` : undefined;
  const text = (m: StringMatch, value: string | undefined): boolean => {
    if (value === undefined) return false;
    if (m.kind === 'presence') return value !== '';
    if (m.kind === 'exact') return value === m.value;
    return m.kind === 'prefix' ? value.startsWith(m.value) : value.endsWith(m.value);
  };
  const bits = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const inside = (block: Cidr, address: Uint8Array) =>
    block.bytes.length === address.length &&
    bits(block.bytes).slice(0, block.prefixLength) === bits(address).slice(0, block.prefixLength);
  const field = <T>(yes: readonly T[], no: readonly T[], hit: (value: T) => boolean) =>
    (yes.length === 0 || yes.filter(hit).length > 0) && no.filter(hit).length === 0;
  const holds = (m: PolicyMatch): boolean => {
    if (JSON.stringify(m) === JSON.stringify(createPolicyMatch())) return false;
    return (
      field(m.principals, m.notPrincipals, (one) => text(one, principal)) &&
      field(m.namespaces, m.notNamespaces, (one) => text(one, id?.namespace ?? '')) &&
      field(
        m.serviceAccounts,
        m.notServiceAccounts,
        (one) => id !== undefined && one.namespace === id.namespace && one.serviceAccount === id.serviceAccount,
      ) &&
      field(m.sourceIps, m.notSourceIps, (one) => inside(one, ipToBytes(over.sourceIp))) &&
      field(m.destinationIps, m.notDestinationIps, (one) => inside(one, ipToBytes(over.destinationIp))) &&
      field(m.destinationPorts, m.notDestinationPorts, (one) => one === over.destinationPort)
    );
  };
  const matches = (p: AuthorizationPolicy) =>
    p.rules.some((rule) => rule.every((clause) => clause.length === 0 || clause.some(holds)));
  const enforced = policies.filter((p) => !p.dryRun);
  if (enforced.some((p) => p.action === 'Deny' && matches(p))) return false;
  const allows = enforced.filter((p) => p.action === 'Allow');
  return allows.length === 0 || allows.some(matches);
}

describe('authorize', () => {
  const word = fc.constantFrom('a', 'b', 'ab', '', 'td/ns/a/sa/x', 'td/ns/', '/sa/x');
  const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
    fc.constant({ kind: 'presence' } as const),
    fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: word }),
  );
  const few = <T>(one: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(one, { maxLength: 2 }));
  const block = fc.constantFrom(
    ...['10.0.0.0/24', '10.0.0.1', '0.0.0.0/0', '10.0.0.3/31', 'fd00::/8', '::/0'].map(cidr),
  );
  const account = fc.record({ namespace: fc.constantFrom('a', 'b'), serviceAccount: fc.constantFrom('x', 'y') });
  const port = fc.constantFrom(80, 81);
  const match: fc.Arbitrary<PolicyMatch> = fc.record({
    namespaces: few(stringMatch),
    notNamespaces: few(stringMatch),
    serviceAccounts: few(account),
    notServiceAccounts: few(account),
    principals: few(stringMatch),
    notPrincipals: few(stringMatch),
    sourceIps: few(block),
    notSourceIps: few(block),
    destinationIps: few(block),
    notDestinationIps: few(block),
    destinationPorts: few(port),
    notDestinationPorts: few(port),
  });
  const sparse = fc.oneof(
    match,
    fc.constant(createPolicyMatch()),
    stringMatch.map((one) => createPolicyMatch({ principals: [one] })),
    stringMatch.map((one) => createPolicyMatch({ notPrincipals: [one] })),
    port.map(matchPort),
  );
  const rules = fc.array(fc.array(fc.array(sparse, { maxLength: 2 }), { maxLength: 2 }), { maxLength: 2 });
  const anyPolicy: fc.Arbitrary<AuthorizationPolicy> = fc.record({
    name: fc.constantFrom('p', 'q'),
    namespace: fc.constant('n'),
    scope: fc.constant('Namespace' as const),
    action: fc.constantFrom('Allow' as const, 'Deny' as const),
    dryRun: fc.boolean(),
    rules,
  });
  const anyInput: fc.Arbitrary<AuthorizationInput> = fc.record({
    identity: fc.option(
      fc.record({
        trustDomain: fc.constantFrom('td', 'b'),
        namespace: fc.constantFrom('a', 'b'),
        serviceAccount: fc.constantFrom('x', 'y'),
      }),
      { nil: undefined },
    ),
    sourceIp: fc.constantFrom(ip('10.0.0.1'), ip('10.0.0.2'), ip('192.168.0.1'), ip('fd00::1')),
    destinationIp: fc.constantFrom(ip('10.0.0.2'), ip('2001:db8::1')),
    destinationPort: port,
  });

  // Rules of many are found by who calls.
  const nobody = [[createPolicyMatch({ principals: [{ kind: 'exact', value: 'nobody' }] })]];
  const crowd = policy('Deny', Array(40).fill(nobody), { name: 'crowd' });

  for (const [among, others] of [
    ['alone', []],
    ['among many', [crowd]],
  ] as const) {
    it(`agrees with the literal reading of the rules, ${among}`, () => {
      let allowed = 0;
      fc.assert(
        fc.property(fc.array(anyPolicy, { maxLength: 4 }), anyInput, (policies, over) => {
          const expected = oracle(policies, over);
          if (expected) allowed++;
          const all = [...policies, ...others];
          const { decision, dryRun } = new PolicySet(all).authorize(over);
          assert.equal(decision.allowed, expected);
          const matches = (one: AuthorizationPolicy) => !oracle([{ ...one, action: 'Deny', dryRun: false }], over);
          assert.deepEqual(
            dryRun,
            policies.filter((one) => one.dryRun && matches(one)),
          );
        }),
        { numRuns: 3000 },
      );
      assert.ok(allowed > 300 && allowed < 2900, `${allowed} of 3000 allowed: the cases are not varied enough`);
    });
  }
});
