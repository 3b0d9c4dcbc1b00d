/** The decision of a waypoint over a request, as every request asks for it. */
import assert from 'node:assert/strict';
import type { RequestSubject } from '../../../src/authz/request-subject.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { namespaceTarget } from '../../../src/model/waypoint-target.ts';
import { WaypointPolicy } from '../../../src/proto/gen/ambit.ts';
import { WaypointPolicies } from '../../../src/waypoint/policies.ts';
import { inTurns, type MicroBench } from '../suite.ts';
import { MANY_RULES, type Manifest, manifest, manyRules, NAMESPACES, principal } from './policy-mesh.ts';

const OURS = 250;
const PER_NAMESPACE = 20;

/** A waypoint's store with the policies, each attached to a service. */
function stored(attached: readonly { target: string; written: Manifest }[]): WaypointPolicies {
  const policies = new WaypointPolicies(() => undefined);
  const resources = attached.map(({ target, written }, index) => {
    const text = Buffer.from(JSON.stringify(written));
    const fields = { namespace: '', name: `p${index}`, kind: 'AuthorizationPolicy', targets: [target], manifest: text };
    return { name: fields.name, version: '1', aliases: [], bytes: WaypointPolicy.encode(fields).finish() };
  });
  assert.deepEqual(policies.handler().apply(resources, []), []);
  return policies;
}

interface Asked {
  readonly namespace: string;
  readonly account: string;
  readonly method?: string;
  readonly path?: string;
  readonly sourceIp?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

function request({ namespace, account, method = 'GET', path = '/', sourceIp = '10.2.0.7', headers = [] }: Asked) {
  const ip = sourceIp as IpAddress;
  const headerValues = (name: string) => headers.filter(([own]) => own === name).map(([, value]) => value);
  return {
    identity: { trustDomain: 'cluster.local', namespace, serviceAccount: account },
    sourceIp: ip,
    remoteIp: ip,
    destinationIp: '10.96.0.1' as IpAddress,
    destinationPort: 8080,
    sni: undefined,
    http: { authority: 'cart.shop', method, path, headerValues, token: undefined },
  } satisfies RequestSubject;
}

function serviceSpec(namespace: number, index: number): object {
  const callers = [0, 1, 2].map((offset) => principal((namespace + offset) % NAMESPACES, index));
  if (index % 5 === 0)
    return {
      action: 'DENY',
      rules: [{ to: [{ operation: { paths: ['/admin/*', '*/internal'], notMethods: ['GET'] } }] }],
    };
  return {
    action: 'ALLOW',
    rules: [
      { from: [{ source: { principals: callers } }], to: [{ operation: { methods: ['GET'], paths: ['/items*'] } }] },
      { from: [{ source: { namespaces: ['ingress-*'] } }], to: [{ operation: { paths: ['/carts/{*}/items/{**}'] } }] },
      {
        from: [{ source: { ipBlocks: ['10.8.0.0/14'] } }],
        when: [{ key: 'request.headers[x-tier]', values: ['gold'] }],
      },
    ],
  };
}

function decider(title: string, policies: WaypointPolicies, targets: readonly string[]) {
  const decide = (subject: RequestSubject) => policies.of(targets).authorize(subject);
  return (what: string, allowed: boolean, subjects: readonly RequestSubject[]): MicroBench => {
    for (const subject of subjects) assert.equal(decide(subject).allowed, allowed, what);
    const next = inTurns(subjects);
    return { name: `${title}: ${what}`, run: () => decide(next()) };
  };
}

/** Three of the 10,000 are attached to the service, and one to its namespace. */
function wholeMesh(): readonly MicroBench[] {
  const attached = Array.from({ length: NAMESPACES * PER_NAMESPACE }, (_, at) => {
    const namespace = Math.floor(at / PER_NAMESPACE);
    const index = at % PER_NAMESPACE;
    const written = manifest(`team-${namespace}`, `policy-${index}`, serviceSpec(namespace, index));
    const own = `Service/team-${namespace}/app-${Math.floor(index / 3)}`;
    return { target: index === 0 ? namespaceTarget(`team-${namespace}`) : own, written };
  });
  const targets = [namespaceTarget(`team-${OURS}`), `Service/team-${OURS}/app-2`];
  const decide = decider('10,000 policies, 4 for the service', stored(attached), targets);
  const gold = [['x-tier', 'gold']] as const;
  const callers = [0, 1, 2].map((offset) => `team-${OURS + offset}`);
  return [
    decide('a principal, GET and a prefix allow', true, [
      ...callers.map((namespace) => request({ namespace, account: 'client-6', path: '/items?page=2' })),
    ]),
    decide('a path template allows', true, [
      request({ namespace: 'ingress-a', account: 'gw', path: '/carts/4711/items/1/notes' }),
    ]),
    decide('the last rule allows, by address and header', true, [
      request({ namespace: 'billing', account: 'report', sourceIp: '10.8.3.4', headers: gold }),
    ]),
    decide('denied by path', false, [
      request({ namespace: `team-${OURS}`, account: 'client-6', method: 'POST', path: '/admin/users' }),
    ]),
    decide('none matches', false, [request({ namespace: 'billing', account: 'report', path: '/reports/2026' })]),
  ];
}

/** A rule for each account and path of a service that has thousands of both. */
function oneService(): readonly MicroBench[] {
  const who = (index: number) => ({ namespace: `team-${Math.floor(index / 20)}`, account: `client-${index % 20}` });
  const rule = (index: number) => ({
    from: [{ source: { principals: [principal(Math.floor(index / 20), index % 20)] } }],
    to: [{ operation: { methods: ['GET'], paths: [`/tenants/${index}/*`] } }],
  });
  const target = 'Service/shop/cart';
  const policies = stored(manyRules('shop', rule).map((written) => ({ target, written })));
  const decide = decider('10,000 rules for the service', policies, [target]);
  const last = MANY_RULES - 1;
  return [
    decide('the first allows', true, [request({ ...who(0), path: '/tenants/0/a' })]),
    decide('the last allows', true, [request({ ...who(last), path: `/tenants/${last}/a` })]),
    decide('none matches', false, [request({ ...who(3), path: '/tenants/4/a' })]),
  ];
}

export function benches(): readonly MicroBench[] {
  return [...wholeMesh(), ...oneService()];
}
