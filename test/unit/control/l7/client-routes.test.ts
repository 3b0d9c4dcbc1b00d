import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SERVICE_ROUTES_TYPE } from '../../../../src/model/waypoint-feed.ts';
import { type HttpRoute, ServiceRoutes } from '../../../../src/proto/gen/ambit.ts';
import { object, service } from '../../../helpers/manifests.ts';
import {
  boundService,
  GATEWAY_API,
  httpRoute,
  RouteMesh,
  referenceGrant,
  toService,
  WAYPOINT,
} from '../../../helpers/routes.ts';

type Json = Record<string, unknown>;

const PORTS = {
  ports: [
    { name: 'http', port: 80 },
    { name: 'admin', port: 81 },
  ],
};
const PARENT = toService('web', { namespace: 'demo' });
const WEB = { name: 'web', namespace: 'demo', port: 80 };
const OWN = { name: 'own', port: 80 };
const header = { set: [{ name: 'x-role', value: 'admin' }] };

/** The route of the namespace `client` for a port, with what is beside it in the mesh. */
function routeOfClient(rule: Json, port = 80, ...more: readonly unknown[]): HttpRoute | undefined {
  const mesh = new RouteMesh([
    boundService('web', PORTS),
    boundService('secret'),
    service('own', {}, { namespace: 'client' }),
    httpRoute('r', PARENT, [rule], { namespace: 'client' }),
    ...more,
  ]);
  return mesh.ports('web').find((entry) => entry.port === port && entry.clientNamespace === 'client')?.http[0];
}

/** `<namespace>/<port>` or `none`, for each backend; or the status that it answers itself. */
function destinations(route: HttpRoute | undefined): unknown {
  if (route?.action?.$case !== 'forward') return route?.action?.$case === 'directResponse' && 500;
  return route.action.forward.backends.map(({ backend }) =>
    backend ? `${backend.namespace}/${backend.port}` : 'none',
  );
}

describe('a route for the clients of its own namespace', () => {
  it('leads to the port of the service that was called, and not to services of its own, whose endpoints it may make up', () => {
    const rule = { backendRefs: [WEB, OWN] };
    assert.deepEqual(destinations(routeOfClient(rule)), ['demo/80', 'none']);
    assert.deepEqual(destinations(routeOfClient(rule, 81)), ['none', 'none']);
  });

  it('leads nowhere else, by name or by host, without consent', () => {
    const secret = { name: 'secret', namespace: 'demo', port: 80 };
    const host = { group: 'networking.istio.io', kind: 'Hostname', name: 'secret.demo.svc.cluster.local', port: 80 };
    const rule = { backendRefs: [secret, host] };
    assert.deepEqual(destinations(routeOfClient(rule)), ['none', 'none']);
    const grant = referenceGrant('demo', 'client', { name: 'secret' });
    assert.deepEqual(destinations(routeOfClient(rule, 80, grant)), ['demo/80', 'demo/80']);
  });

  it('leads from one of its services to another with consent only: policies judged the one that was called', () => {
    const spec = {
      parentRefs: [PARENT, toService('secret', { namespace: 'demo' })],
      rules: [{ backendRefs: [{ ...WEB, name: 'secret' }, OWN] }],
    };
    const both = object(`${GATEWAY_API}/v1`, 'HTTPRoute', 'both', spec, { namespace: 'client' });
    const led = (...more: readonly unknown[]) => {
      const own = service('own', {}, { namespace: 'client' });
      const mesh = new RouteMesh([boundService('web', PORTS), boundService('secret'), own, both, ...more]);
      return destinations(mesh.ports('web')[0]?.http[0]);
    };
    assert.deepEqual(led(), ['none', 'none']);
    assert.deepEqual(led(referenceGrant('demo', 'client', { name: 'secret' })), ['demo/80', 'none']);
  });

  it('may be for all at a service of its own namespace too, whose requests go where its owner wants', () => {
    const spec = { parentRefs: [PARENT, toService('own')], rules: [{ backendRefs: [OWN] }] };
    const both = object(`${GATEWAY_API}/v1`, 'HTTPRoute', 'both', spec, { namespace: 'client' });
    const bound = { namespace: 'client', labels: { 'istio.io/use-waypoint': 'wp' } };
    const waypoint = { ...WAYPOINT, metadata: { name: 'wp', namespace: 'client' } };
    const mesh = new RouteMesh([boundService('web', PORTS), waypoint, boundService('own', {}, bound), both]);
    const resource = mesh.model.waypointStores.get(SERVICE_ROUTES_TYPE)?.get('client/own.client.svc.cluster.local');
    assert.ok(resource);
    assert.deepEqual(destinations(ServiceRoutes.decode(resource.value).ports[0]?.http[0]), ['client/80']);
    assert.deepEqual(destinations(mesh.ports('web')[0]?.http[0]), ['none']);
  });

  it('does not change requests that were judged already: it answers 500', () => {
    const requestHeaderModifier = { type: 'RequestHeaderModifier', requestHeaderModifier: header };
    const path = { type: 'ReplaceFullPath', replaceFullPath: '/admin' };
    const rewrites = [
      { type: 'URLRewrite', urlRewrite: { path } },
      { type: 'URLRewrite', urlRewrite: { hostname: 'other' } },
      requestHeaderModifier,
    ];
    for (const filter of rewrites) {
      assert.equal(destinations(routeOfClient({ filters: [filter], backendRefs: [WEB] })), 500);
      const ofBackend = routeOfClient({ backendRefs: [{ ...WEB, filters: [filter] }, WEB] });
      assert.deepEqual(destinations(ofBackend), ['none', 'demo/80']);
    }
  });

  it('changes responses, redirects, bounds time, and copies to what it may reach', () => {
    const mirror = (backendRef: Json) => ({ type: 'RequestMirror', requestMirror: { backendRef } });
    const filters = [
      { type: 'ResponseHeaderModifier', responseHeaderModifier: header },
      mirror(WEB),
      mirror(OWN),
      mirror({ ...WEB, port: 81 }),
      mirror({ ...WEB, name: 'secret' }),
    ];
    const route = routeOfClient({ filters, timeouts: { request: '2s' }, backendRefs: [WEB] });
    assert.ok(route?.action?.$case === 'forward');
    const { timeoutMs, mirrors } = route.action.forward;
    assert.deepEqual([timeoutMs, mirrors.map(({ backend }) => backend?.namespace)], [2000, ['demo']]);
    assert.ok(route.responseHeaders);
    const redirect = { type: 'RequestRedirect', requestRedirect: { hostname: 'other.example' } };
    assert.equal(routeOfClient({ filters: [redirect] })?.action?.$case, 'redirect');
  });

  it('fills nothing into responses: the request has what a provider added for the endpoints', () => {
    const set = [{ name: 'x-pass', value: '%REQ(x-pass)%' }];
    const filter = { type: 'ResponseHeaderModifier', responseHeaderModifier: { set } };
    const route = routeOfClient({ filters: [filter], backendRefs: [{ ...WEB, filters: [filter] }] });
    assert.ok(route?.action?.$case === 'forward');
    const [ofBackend] = route.action.forward.backends;
    for (const changes of [route.responseHeaders, ofBackend?.responseHeaders]) {
      assert.deepEqual(changes?.set, [{ name: 'x-pass', value: '%REQ(x-pass)%', isFormat: undefined }]);
    }
  });

  it('keeps the share of connections that it may not send elsewhere', () => {
    const spec = { parentRefs: [PARENT], rules: [{ backendRefs: [{ ...WEB, port: 81 }, OWN] }] };
    const tcp = object(`${GATEWAY_API}/v1alpha2`, 'TCPRoute', 't', spec, { namespace: 'client' });
    const mesh = new RouteMesh([boundService('web', PORTS), service('own', {}, { namespace: 'client' }), tcp]);
    const held = mesh
      .ports('web')
      .map(({ port, tcp: backends }) => [port, backends.map(({ backend }) => backend?.port)]);
    assert.deepEqual(held, [
      [80, [undefined, undefined]],
      [81, [81, undefined]],
    ]);
  });
});
