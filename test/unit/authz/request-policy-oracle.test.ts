/** Policies of a waypoint against a slow reading of the same objects that shares no code with them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { RequestPolicies } from '../../../src/authz/request-policies.ts';
import { compileRequestPolicy } from '../../../src/authz/request-policy.ts';
import type { RequestSubject } from '../../../src/authz/request-subject.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import type { Identity } from '../../../src/model/spiffe.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';

type Lists = Readonly<Record<string, readonly string[]>>;

interface Rule {
  readonly from?: readonly { readonly source: Lists }[];
  readonly to?: readonly { readonly operation: Lists }[];
  readonly when?: readonly (Lists & { readonly key: string })[];
}

interface Policy {
  readonly namespace: string;
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT';
  readonly rules: readonly Rule[];
}

interface Asked {
  readonly identity: Identity | undefined;
  readonly sourceIp: string;
  readonly isHttp: boolean;
  readonly method: string;
  readonly authority: string;
  readonly target: string;
  readonly headers: readonly HttpHeader[];
}

// The slow reading.

/** Letter by letter: a `*` at either end, or alone for anything that is not empty. */
function isLike(pattern: string, text: string): boolean {
  if (pattern === '*') return text.length > 0;
  const [letters, read] = pattern.startsWith('*')
    ? [[...pattern.slice(1)].reverse(), [...text].reverse()]
    : [[...pattern.replace(/\*$/, '')], [...text]];
  const isOpen = pattern.startsWith('*') || pattern.endsWith('*');
  return letters.every((letter, at) => letter === read[at]) && (isOpen || letters.length === read.length);
}

/** A `*` anywhere, tried at every length. */
function isGlobLike(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const rest = pattern.slice(1);
  if (pattern[0] !== '*') return pattern[0] === text[0] && isGlobLike(rest, text.slice(1));
  return Array.from({ length: text.length + 1 }, (_, at) => at).some((at) => isGlobLike(rest, text.slice(at)));
}

/** One escape, as it is compared; undefined when it is none or hides a NUL. */
function escapeRead(digits: string): string | undefined {
  if (digits.length < 2 || ![...digits].every((digit) => '0123456789ABCDEF'.includes(digit))) return undefined;
  const meant = String.fromCharCode(Number(`0x${digits}`));
  if (meant === '\0') return undefined;
  return '-._~'.includes(meant) || /^[a-z0-9]$/i.test(meant) ? meant : `%${digits}`;
}

/** What an endpoint that follows RFC 3986 reads of a target; undefined where endpoints would disagree. */
function pathRead(target: string): string | undefined {
  let text = '';
  for (let at = 0; at < target.length && target[at] !== '?'; at++) {
    const letter = target[at] ?? '';
    if (letter === '#') return undefined;
    const read = letter === '%' ? escapeRead(target.slice(at + 1, at + 3).toUpperCase()) : letter.replace('\\', '/');
    if (read === undefined) return undefined;
    text += read;
    if (letter === '%') at += 2;
  }
  const out: string[] = [];
  const segments = text.split('/').slice(1);
  segments.forEach((segment, at) => {
    if (segment === '..') out.pop();
    else if (segment !== '.') out.push(segment);
    if ((segment === '.' || segment === '..') && at === segments.length - 1) out.push('');
  });
  return `/${out.join('/')}`;
}

function isPathLike(pattern: string, path: string): boolean {
  const same = pattern.replace(/%[0-9a-f]{2}/gi, (found) => found.toUpperCase());
  return same.includes('{') ? segmentsLike(same.split('/'), path.split('/')) : isLike(same, path);
}

function segmentsLike([wanted, ...others]: readonly string[], path: readonly string[]): boolean {
  if (wanted === undefined) return path.length === 0;
  if (wanted === '{**}')
    return Array.from({ length: path.length + 1 }, (_, at) => at).some((at) => segmentsLike(others, path.slice(at)));
  const [first, ...rest] = path;
  if (first === undefined) return false;
  return (wanted === '{*}' ? first !== '' : wanted === first) && segmentsLike(others, rest);
}

function isWithin(block: string, address: string): boolean {
  const bits = (text: string) =>
    text
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [network = '', length = '32'] = block.split('/');
  return bits(address).slice(0, Number(length)) === bits(network).slice(0, Number(length));
}

function ownAccount(account: string, namespace: string): string {
  return account.includes('/') ? account : `${namespace}/${account}`;
}

/** How a field is asked: who hits a value, and whether only HTTP has it. */
function hits(field: string, value: string, asked: Asked, namespace: string): boolean {
  const { identity } = asked;
  const ids = identity === undefined ? [] : [identity];
  switch (field) {
    case 'principals':
    case 'source.principal':
      return ids.some((id) => isLike(value, `${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`));
    case 'namespaces':
    case 'source.namespace':
      return ids.some((id) => isGlobLike(value, id.namespace));
    case 'serviceAccounts':
    case 'source.serviceAccount':
      return ids.some((id) => `${id.namespace}/${id.serviceAccount}` === ownAccount(value, namespace));
    case 'trustDomains':
      return ids.some((id) => isLike(value, id.trustDomain));
    case 'ipBlocks':
    case 'remoteIpBlocks':
      return isWithin(value, asked.sourceIp);
    case 'hosts':
      return isLike(value.toLowerCase(), asked.authority.toLowerCase());
    case 'methods':
      return isLike(value, asked.method);
    case 'paths':
      return isPathLike(value, pathRead(asked.target) ?? '');
    case 'ports':
      return value === '80';
    default: {
      const name = field.slice('request.headers['.length, -1).toLowerCase();
      const values = asked.headers.filter(([own]) => own === name).map(([, text]) => text);
      if (values.length === 0) return false;
      if (name === 'cookie') return isLike(value, values.join('; '));
      return values.some((text) => isLike(value, text)) || isLike(value, values.join(','));
    }
  }
}

const HTTP_ONLY = /^(hosts|methods|paths|remoteIpBlocks|request\.)/;

/** All fields of a source, an operation or a condition: positive ones, and `not…` ones. */
function holds(lists: Lists, fieldOf: (name: string) => string, asked: Asked, policy: Policy): boolean {
  return Object.entries(lists).every(([name, values]) => {
    if (name === 'key') return true;
    const field = fieldOf(name);
    if (HTTP_ONLY.test(field) && !asked.isHttp) return policy.action === 'DENY';
    const isHit = values.some((value) => hits(field, value, asked, policy.namespace));
    return name.startsWith('not') ? !isHit : isHit;
  });
}

const positive = (name: string) => (name.startsWith('not') ? name.charAt(3).toLowerCase() + name.slice(4) : name);

function ruleHolds({ from, to, when }: Rule, asked: Asked, policy: Policy): boolean {
  return (
    (from === undefined || from.some(({ source }) => holds(source, positive, asked, policy))) &&
    (to === undefined || to.some(({ operation }) => holds(operation, positive, asked, policy))) &&
    (when ?? []).every((condition) => holds(condition, () => condition.key, asked, policy))
  );
}

function isAllowed(policies: readonly Policy[], asked: Asked): boolean {
  const matching = policies.filter((policy) => policy.rules.some((rule) => ruleHolds(rule, asked, policy)));
  if (matching.some(({ action }) => action === 'DENY')) return false;
  return !policies.some(({ action }) => action === 'ALLOW') || matching.some(({ action }) => action === 'ALLOW');
}

// What is asked: few words, so that they meet, and near misses of each.

const list = (...words: readonly string[]) => fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 2 });
const ACCOUNTS = ['x.y', 'xzy', 'a/x.y', 'a/xzy', 'b/x.y'];
const PATHS = ['/a', '/a*', '*admin', '*', '/a/{*}', '/{*}/admin', '/a/{**}', '/{*}/{**}', '/a%2fadmin', '/a%2F*', '/'];
const VALUES = ['admin', 'adm*', '*min', '*', 'user,admin', 'a=1; b=2'];
const PRINCIPALS = ['td/ns/a/sa/x.y', 'td/ns/a/*', '*/sa/x.y', '*', 't*', 'td/ns/a/sa/xzy'];
const NAMESPACES = ['a', 'a*', '*a', 'a*b', '*', 'b'];

/** Some of these fields, at least one, each with its negation. */
function fields(words: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Lists> {
  const both = Object.entries(words).flatMap(([name, values]) => [
    [name, values] as const,
    [`not${name.charAt(0).toUpperCase()}${name.slice(1)}`, values] as const,
  ]);
  const one = fc.constantFrom(...both).chain(([name, values]) => list(...values).map((some) => [name, some] as const));
  return fc.array(one, { minLength: 1, maxLength: 2 }).map((entries) => Object.fromEntries(entries));
}

const source = fields({
  principals: PRINCIPALS,
  namespaces: NAMESPACES,
  trustDomains: ['td', 't*', '*.d', '*'],
  ipBlocks: ['10.0.0.0/24', '10.0.0.7', '10.0.0.4/30', '0.0.0.0/0'],
  remoteIpBlocks: ['10.0.0.0/24', '10.0.1.0/24'],
});
/** Accounts stand beside neither principals nor namespaces. */
const accountSource = fields({ serviceAccounts: ACCOUNTS });
const operation = fields({
  hosts: ['a.b', 'A.B', '*.b', 'a.*', '*', 'axb'],
  methods: ['GET', 'get', 'P*', '*'],
  paths: PATHS,
  ports: ['80', '81'],
});
const condition = fc.oneof(
  ...Object.entries({
    'request.headers[X-Role]': VALUES,
    'request.headers[cookie]': VALUES,
    'source.principal': PRINCIPALS,
    'source.namespace': NAMESPACES,
    'source.serviceAccount': ACCOUNTS,
  }).map(([key, words]) =>
    fields({ values: words }).map((lists) => ({ ...lists, key }) as unknown as Lists & { key: string }),
  ),
);
const some = <T>(one: fc.Arbitrary<T>) => fc.option(fc.array(one, { minLength: 1, maxLength: 2 }), { nil: undefined });
const anyRule = fc
  .record({
    from: some(fc.oneof(source, accountSource).map((lists) => ({ source: lists }))),
    to: some(operation.map((lists) => ({ operation: lists }))),
    when: some(condition),
  })
  .map((rule) => Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined)) as Rule);
const anyPolicy: fc.Arbitrary<Policy> = fc
  .record({
    namespace: fc.constantFrom('a', 'b'),
    action: fc.constantFrom('ALLOW' as const, 'DENY' as const, 'AUDIT' as const),
    rules: fc.array(anyRule, { maxLength: 2 }),
  })
  // Nobody may write a denial of nothing.
  .map((policy) => (policy.rules.length === 0 ? { ...policy, action: 'ALLOW' } : policy));
const PIECES = [
  '/',
  '/',
  'a',
  'A',
  'admin',
  '%61',
  '%41',
  '%2F',
  '%2f',
  '.',
  '..',
  '%2e',
  '%2E',
  '\\',
  ';',
  '?',
  '%00',
  '%',
  '%g1',
  '%C3',
  '~',
  '%7e',
  '#',
];
const anyTarget = fc.array(fc.constantFrom(...PIECES), { maxLength: 7 }).map((pieces) => `/${pieces.join('')}`);
const anyHeader = fc.tuple(
  fc.constantFrom('x-role', 'x-role', 'cookie', 'x-other'),
  fc.constantFrom('admin', 'user', '', 'user,admin', 'a=1', 'b=2', 'Admin', 'administrator'),
);
const anyAsked: fc.Arbitrary<Asked> = fc.record({
  identity: fc.option(
    fc.record({
      trustDomain: fc.constantFrom('td', 't.d'),
      namespace: fc.constantFrom('a', 'b', 'ab', 'axb'),
      serviceAccount: fc.constantFrom('x.y', 'xzy', 'x'),
    }),
    { nil: undefined },
  ),
  sourceIp: fc.constantFrom('10.0.0.7', '10.0.0.8', '10.0.1.7'),
  isHttp: fc.boolean(),
  method: fc.constantFrom('GET', 'get', 'POST'),
  authority: fc.constantFrom('a.b', 'A.b', 'axb', 'a.b:80', 'x.a.b', 'a.b.'),
  target: anyTarget,
  headers: fc.array(anyHeader, { maxLength: 3 }),
});

function compile({ namespace, action, rules }: Policy) {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace },
    spec: { action, rules },
  };
  const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'AuthorizationPolicy', JSON.stringify(reading));
  return compileRequestPolicy(reading.object);
}

/** The request as a waypoint takes it from the wire. */
function subjectOf(asked: Asked): RequestSubject | undefined {
  const pseudo: HttpHeader[] = [
    [':method', asked.method],
    [':scheme', 'http'],
    [':authority', asked.authority],
    [':path', asked.target],
  ];
  const request = new RequestFields([...pseudo, ...asked.headers]);
  if (!request.valid) return undefined;
  const { method, authority, target } = request;
  const headerValues = (name: string) => request.headerValues(name);
  return {
    identity: asked.identity,
    sourceIp: asked.sourceIp as IpAddress,
    remoteIp: asked.sourceIp as IpAddress,
    destinationIp: undefined,
    destinationPort: 80,
    sni: undefined,
    http: asked.isHttp ? { method, authority, path: target, headerValues, token: undefined } : undefined,
  };
}

const nobody = { from: [{ source: { principals: ['cluster.local/ns/none/sa/none'] } }] };
/** Rules of many are found by who calls. */
const CROWD: Policy = { namespace: 'shop', action: 'DENY', rules: Array(40).fill(nobody) };

for (const [among, others] of [
  ['', []],
  [' among many', [CROWD]],
] as const) {
  it(`policies${among} decide as a slow reading of them does, and paths are read alike (row 12)`, () =>
    compareReadings(others));
}

function compareReadings(others: readonly Policy[]): void {
  let allowed = 0;
  let denied = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 3 }), anyAsked, (policies, asked) => {
      const subject = subjectOf(asked);
      assert.equal(subject === undefined, pathRead(asked.target) === undefined || /\?.*#/.test(asked.target));
      if (subject === undefined) return void refused++;
      const decision = new RequestPolicies([...policies, ...others].map(compile)).authorize(subject).allowed;
      if (decision) allowed++;
      else denied++;
      assert.equal(decision, isAllowed(policies, asked));
    }),
    { numRuns: 12_000 },
  );
  for (const count of [allowed, denied, refused]) assert.ok(count > 500, `${allowed} ${denied} ${refused}`);
}
