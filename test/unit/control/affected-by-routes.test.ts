import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collectAffected } from '../../../src/control/affected-objects.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { service } from '../../helpers/manifests.ts';
import { boundService, httpRoute, RouteMesh, referenceGrant, toService } from '../../helpers/routes.ts';

/** The keys of all that is built again for a change. */
function affectedBy(mesh: RouteMesh, change: () => void): string[] {
  const affected = new Set<string>();
  const end = mesh.store.subscribe((changes) => {
    for (const one of changes) assert.ok(collectAffected(mesh.store, DEFAULT_MESH_OPTIONS, one, affected));
  });
  change();
  end();
  return [...affected].sort();
}

const to = (name: string, namespace = 'demo') => [{ backendRefs: [{ name, namespace, port: 80 }] }];

describe('a change of routes', () => {
  it('rebuilds the service of one of two thousand routes, and no other', () => {
    const names = Array.from({ length: 2000 }, (_, index) => `s${index}`);
    const mesh = new RouteMesh([
      ...names.map((name) => boundService(name)),
      ...names.map((name) => httpRoute(name, toService(name), to(name))),
    ]);
    const affected = affectedBy(mesh, () => mesh.add(httpRoute('s7', toService('s7'), to('s8'))));
    assert.deepEqual(affected, ['HTTPRoute/demo/s7', 'Service/demo/s7']);
    assert.equal(mesh.forward('s7').backends[0]?.backend?.hostname, 's8.demo.svc.cluster.local');
    assert.equal(mesh.forward('s9').backends[0]?.backend?.hostname, 's9.demo.svc.cluster.local');
  });

  it('concerns the parent that a route had and the one that it has', () => {
    const mesh = new RouteMesh([boundService('a'), boundService('b'), httpRoute('r', toService('a'), to('a'))]);
    const moved = httpRoute('r', toService('b'), to('a'));
    assert.deepEqual(
      affectedBy(mesh, () => mesh.add(moved)),
      ['HTTPRoute/demo/r', 'Service/demo/a', 'Service/demo/b'],
    );
    assert.deepEqual([mesh.names('a'), mesh.names('b')], [[], ['demo.r.0']]);
    assert.deepEqual(
      affectedBy(mesh, () => mesh.remove(moved)),
      ['HTTPRoute/demo/r', 'Service/demo/b'],
    );
    assert.deepEqual(mesh.ports('b'), []);
  });
});

describe('a change of what routes refer to', () => {
  const routes = [
    boundService('a'),
    boundService('b'),
    httpRoute('r', toService('a'), to('shop')),
    httpRoute('s', toService('b'), to('shop', 'far')),
  ];

  it('concerns the services of routes to a backend that comes, goes or gets other ports', () => {
    const mesh = new RouteMesh(routes);
    const expected = ['HTTPRoute/demo/r', 'Service/demo/a', 'Service/demo/shop'];
    assert.deepEqual(
      affectedBy(mesh, () => mesh.add(service('shop'))),
      expected,
    );
    assert.deepEqual(
      affectedBy(mesh, () => mesh.add(service('shop', { ports: [{ port: 81 }] }))),
      expected,
    );
    assert.deepEqual(
      affectedBy(mesh, () => mesh.remove(service('shop'))),
      expected,
    );
  });

  it('concerns nobody else while a backend stays what it is', () => {
    const mesh = new RouteMesh([...routes, service('shop')]);
    const relabelled = service('shop', {}, { labels: { a: 'b' } });
    assert.deepEqual(
      affectedBy(mesh, () => mesh.add(relabelled)),
      ['Service/demo/shop'],
    );
  });

  it('concerns the services of routes into the namespace of a grant', () => {
    const mesh = new RouteMesh(routes);
    const expected = ['HTTPRoute/demo/s', 'ReferenceGrant/far/grant', 'Service/demo/b'];
    assert.deepEqual(
      affectedBy(mesh, () => mesh.add(referenceGrant('far', 'demo'))),
      expected,
    );
  });
});
