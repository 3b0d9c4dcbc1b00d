import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wantedParents } from '../../../../src/control/l7/route-conditions.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../../src/control/mesh-options.ts';
import { ObjectStore } from '../../../../src/manifests/object-store.ts';
import { isRoute } from '../../../../src/model/manifest/route-object.ts';
import { service } from '../../../helpers/manifests.ts';
import { boundService, httpRoute, parseObject, RouteMesh, toService, WAYPOINT } from '../../../helpers/routes.ts';

type Json = Record<string, unknown>;

/** Of the only parent: `<status> <reason>` by type. */
function conditions(parent: Json, rule: Json = {}, meta: Json = {}): Json | undefined {
  const store = new ObjectStore();
  store.apply([service('web'), service('far', {}, { namespace: 'other' })].map(parseObject), []);
  const route = parseObject(httpRoute('r', parent, [rule], meta));
  assert.ok(isRoute(route));
  const [entry] = wantedParents({ store, mesh: DEFAULT_MESH_OPTIONS }, route);
  if (entry === undefined) return undefined;
  return Object.fromEntries([...entry.conditions].map(([type, want]) => [type, `${want?.status} ${want?.reason}`]));
}

const FINE = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' };

describe('what a route says about a parent', () => {
  it('is that it is accepted, and that all references are resolved', () => {
    assert.deepEqual(conditions(toService('web'), { backendRefs: [{ name: 'web', port: 80 }] }), FINE);
  });

  it('is nothing about gateways, which others look after', () => {
    assert.equal(conditions({ name: 'web' }), undefined);
  });

  it('is NoMatchingParent where the service or its port does not exist', () => {
    const none = { ...FINE, Accepted: 'False NoMatchingParent' };
    assert.deepEqual(conditions(toService('gone')), none);
    assert.deepEqual(conditions(toService('web', { port: 81 })), none);
    assert.deepEqual(conditions(toService('web', { sectionName: 'admin' })), none);
    assert.deepEqual(conditions(toService('web', { sectionName: 'http', port: 80 })), FINE);
  });

  it('is UnsupportedValue for filters that are not known', () => {
    const unsupported = { ...FINE, Accepted: 'False UnsupportedValue' };
    assert.deepEqual(conditions(toService('web'), { filters: [{ type: 'ExtensionRef' }] }), unsupported);
  });

  it('is that it is accepted for the clients of its own namespace, to the parent itself without a ReferenceGrant', () => {
    const ofClient = (name: string) =>
      conditions(
        toService('web', { namespace: 'demo' }),
        { backendRefs: [{ name, namespace: 'demo', port: 80 }] },
        { namespace: 'client' },
      );
    assert.deepEqual(ofClient('web'), FINE);
    assert.deepEqual(ofClient('api'), { ...FINE, ResolvedRefs: 'False RefNotPermitted' });
    const rewrite = { type: 'URLRewrite', urlRewrite: { hostname: 'other' } };
    const meta = { namespace: 'client' };
    const changing = conditions(toService('web', { namespace: 'demo' }), { filters: [rewrite] }, meta);
    assert.deepEqual(changing, { ...FINE, Accepted: 'False UnsupportedValue' });
    assert.deepEqual(conditions(toService('web'), { filters: [rewrite] }), FINE);
  });

  it('names why a reference cannot be resolved', () => {
    const reason = (ref: Json) => conditions(toService('web'), { backendRefs: [ref] })?.['ResolvedRefs'];
    assert.equal(reason({ name: 'gone', port: 80 }), 'False BackendNotFound');
    assert.equal(reason({ name: 'web', port: 81 }), 'False BackendNotFound');
    assert.equal(reason({ kind: 'Pod', name: 'web' }), 'False InvalidKind');
    assert.equal(reason({ name: 'far', namespace: 'other', port: 80 }), 'False RefNotPermitted');
  });

  it('looks at mirrors, too', () => {
    const requestMirror = { backendRef: { name: 'gone', port: 80 } };
    const found = conditions(toService('web'), { filters: [{ type: 'RequestMirror', requestMirror }] });
    assert.equal(found?.['ResolvedRefs'], 'False BackendNotFound');
  });
});

describe('the note of a route', () => {
  it('follows what the route refers to', () => {
    const route = httpRoute('r', toService('web'), [{ backendRefs: [{ name: 'shop', port: 80 }] }]);
    const mesh = new RouteMesh([route]);
    const note = () => mesh.model.notes.get('HTTPRoute/demo/r');
    assert.equal(note(), 'Service demo/web does not exist; Service demo/shop does not exist');
    mesh.add(boundService('web'));
    assert.equal(note(), 'Service demo/shop does not exist');
    mesh.add(service('shop'));
    assert.equal(note(), undefined);
    mesh.add(service('web'));
    assert.equal(note(), 'Service demo/web is not bound to a waypoint: its requests are not routed');
    mesh.add(boundService('web'));
    assert.equal(note(), undefined);
    mesh.remove(WAYPOINT);
    assert.match(note() ?? '', /not bound/);
  });

  const noteOf = (parent: Json, rule: Json = {}) =>
    new RouteMesh([boundService('web'), httpRoute('r', parent, [rule])]).model.notes.get('HTTPRoute/demo/r');

  it('guesses the group of a parent that was left out', () => {
    const ofGateways = 'of the group "gateway.networking.k8s.io" is nothing to attach to: did you mean group:';
    assert.equal(noteOf({ kind: 'Service', name: 'web' }), `parent Service web ${ofGateways} ""?`);
    const entry = noteOf({ kind: 'ServiceEntry', name: 'web' });
    assert.equal(entry, `parent ServiceEntry web ${ofGateways} "networking.istio.io"?`);
    assert.match(
      noteOf({ group: '', kind: 'ServiceEntry', name: 'web' }) ?? '',
      /of the group "" is nothing to attach to/,
    );
    assert.equal(noteOf({ name: 'edge' }), undefined);
    assert.equal(noteOf({ group: 'example.com', kind: 'Service', name: 'web' }), undefined);
  });

  it('names what waypoints do not act on, of routes between services', () => {
    const rule = { sessionPersistence: { type: 'Header', cookieConfig: { lifetimeType: 'Session' } } };
    const field = 'sessionPersistence.cookieConfig';
    assert.equal(noteOf(toService('web'), rule), `rule 0: waypoints do not act on ${field}`);
    assert.equal(noteOf({ name: 'edge' }, rule), undefined);
  });
});
