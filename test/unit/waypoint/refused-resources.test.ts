import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestSubject } from '../../../src/authz/request-subject.ts';
import type { Service } from '../../../src/model/service.ts';
import { type HttpRoute, ServiceRoutes, WaypointPolicy } from '../../../src/proto/gen/ambit.ts';
import { WaypointPolicies } from '../../../src/waypoint/policies.ts';
import { Routes } from '../../../src/waypoint/routes.ts';
import { requestOf } from '../../helpers/routed-request.ts';

const resource = (name: string, bytes: Uint8Array) => ({ name, version: '1', aliases: [], bytes });

describe('routes that are refused', () => {
  const service = { namespace: 'shop', hostname: 'cart' } as Service;
  const fed = (regex: string) => {
    const route: HttpRoute = {
      name: `for ${regex}`,
      match: {
        path: { kind: { $case: 'regex', regex }, ignoreCase: false },
        scheme: undefined,
        method: undefined,
        authority: undefined,
        headers: [],
        query: [],
        claims: [],
      },
      action: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      fault: undefined,
      cors: undefined,
    };
    const port = { port: 0, http: [route], tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace: '' };
    const routes = { namespace: 'shop', hostname: 'cart', ports: [port], session: undefined };
    return resource('shop/cart', ServiceRoutes.encode(routes).finish());
  };
  const plan = (routes: Routes) => {
    const route = routes.of(service, 80, undefined)?.http?.find(requestOf({ target: '/a' }));
    return route?.action.kind === 'forward' ? { name: route.name, ...route.action.plan } : undefined;
  };

  it('are no way to the service itself: requests and connections go nowhere, and the log says why', () => {
    const routes = new Routes();
    const { apply } = routes.handler();
    assert.equal(apply([fed('(')], []).length, 1);
    const found = plan(routes);
    assert.deepEqual([found?.backends, found?.missingStatus], [[], 503]);
    assert.match(found?.name ?? '', /^unusable routes: .*has a \( without its \)/);
    assert.deepEqual(routes.of(service, 80, undefined)?.tcp?.backends, []);
    assert.deepEqual([...routes.held()], []);
    apply([fed('/a.*')], []);
    assert.equal(plan(routes)?.name, 'for /a.*');
    apply([fed('(')], []);
    assert.equal(plan(routes)?.name, 'for /a.*', 'the last good ones stay');
    apply([], ['shop/cart']);
    assert.equal(routes.of(service, 80, undefined), undefined);
  });

  it('that cannot be decoded are no way either', () => {
    const routes = new Routes();
    routes.handler().apply([resource('shop/cart', Buffer.from([0xff]))], []);
    assert.deepEqual(plan(routes)?.backends, []);
  });
});

describe('a policy that is refused', () => {
  const fed = (spec: unknown) => {
    const manifest = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: META, spec };
    const policy = {
      namespace: 'shop',
      name: 'p',
      kind: 'AuthorizationPolicy',
      targets: ['Service/shop/cart'],
      manifest: Buffer.from(JSON.stringify(manifest)),
    };
    return resource('AuthorizationPolicy/shop/p', WaypointPolicy.encode(policy).finish());
  };
  const META = { name: 'p', namespace: 'shop' };
  const TARGETS = { targetRefs: [{ group: '', kind: 'Service', name: 'cart' }] };
  const decide = (policies: WaypointPolicies, target: string) =>
    policies.of([target]).authorize({
      identity: undefined,
      sourceIp: '10.0.0.1',
      remoteIp: '10.0.0.1',
      destinationPort: 80,
    } as unknown as RequestSubject);

  it('denies what it is attached to, by its name, until it is mended, and nothing else', () => {
    const policies = new WaypointPolicies(() => undefined);
    const { apply } = policies.handler();
    assert.equal(apply([fed({ action: 'NONSENSE', ...TARGETS })], []).length, 1);
    const { allowed, rule } = decide(policies, 'Service/shop/cart');
    assert.deepEqual({ allowed, rule }, { allowed: false, rule: 'ns[shop]-policy[p (unusable)]-rule[0]' });
    assert.equal(decide(policies, 'Service/shop/web').allowed, true);
    const good = fed({ action: 'DENY', rules: [{ to: [{ operation: { ports: ['81'] } }] }], ...TARGETS });
    assert.deepEqual(apply([good], []), []);
    assert.equal(decide(policies, 'Service/shop/cart').allowed, true);
    apply([fed({ action: 'NONSENSE', ...TARGETS })], []);
    assert.equal(decide(policies, 'Service/shop/cart').allowed, true, 'the last good one stays');
    apply([], ['AuthorizationPolicy/shop/p']);
    apply([fed({ action: 'NONSENSE', ...TARGETS })], []);
    assert.equal(decide(policies, 'Service/shop/cart').allowed, false);
    apply([], ['AuthorizationPolicy/shop/p']);
    assert.equal(decide(policies, 'Service/shop/cart').allowed, true);
  });

  it('denies everything where it cannot be read what it is attached to', () => {
    const policies = new WaypointPolicies(() => undefined);
    policies.handler().apply([resource('AuthorizationPolicy/shop/p', Buffer.from([0xff]))], []);
    assert.equal(decide(policies, 'Service/shop/web').allowed, false);
  });
});
