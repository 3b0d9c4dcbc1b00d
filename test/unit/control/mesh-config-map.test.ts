import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { folderMesh, followFolderMesh } from '../../../src/control/folder-mesh.ts';
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { ModelBuilder } from '../../../src/control/model-builder.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { keyOf, type ManifestObject } from '../../../src/model/manifest/manifest-object.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { AUTHORIZATION_PROVIDER_TYPE } from '../../../src/model/waypoint-feed.ts';
import { AuthorizationProvider } from '../../../src/proto/gen/ambit.ts';

function read(mesh: object, metadata: object = {}) {
  const data = { mesh: JSON.stringify(mesh) };
  const meta = { name: 'istio', namespace: 'istio-system', ...metadata };
  return readObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta, data }, () => ({
    file: '',
    line: 1,
    column: 1,
  }));
}

function configMap(mesh: object, metadata: object = {}): ManifestObject {
  const reading = read(mesh, metadata);
  assert.ok(reading.kind === 'accepted', JSON.stringify(reading));
  return reading.object;
}

const rpc = { name: 'rpc', envoyExtAuthzGrpc: { service: 'auth/ext.auth', port: 9000, timeout: '1s' } };
const web = { name: 'web', envoyExtAuthzHttp: { service: 'ext.auth', port: 80, headersToUpstreamOnAllow: ['x-user'] } };

/** A control plane over objects that the test puts in place. */
function setUp(...objects: readonly ManifestObject[]) {
  const store = new ObjectStore();
  store.apply(objects, []);
  const model = new ModelBuilder(store, folderMesh(store, DEFAULT_MESH_OPTIONS));
  followFolderMesh(store, DEFAULT_MESH_OPTIONS, model);
  const fed = () => {
    const providers = model.waypointStores.get(AUTHORIZATION_PROVIDER_TYPE);
    return [...(providers?.names() ?? [])].map((name) => {
      return AuthorizationProvider.decode(providers?.get(name)?.value ?? Buffer.alloc(0));
    });
  };
  return { store, model, fed };
}

describe('MeshConfig in a folder', () => {
  it('gives waypoints the external authorizers, and takes them away', () => {
    const { store, fed } = setUp(configMap({ extensionProviders: [rpc] }));
    assert.deepEqual(
      fed().map(({ name, namespace, hostname, port, timeoutMs, http }) => [
        name,
        namespace,
        hostname,
        port,
        timeoutMs,
        http,
      ]),
      [['rpc', 'auth', 'ext.auth', 9000, 1000, undefined]],
    );
    const next = configMap({ extensionProviders: [rpc, web] });
    store.apply([next], []);
    assert.deepEqual(
      fed()
        .map(({ name }) => name)
        .sort(),
      ['rpc', 'web'],
    );
    assert.deepEqual(fed().find(({ name }) => name === 'web')?.http?.toUpstreamOnAllow, ['x-user']);
    store.apply([], [keyOf(next)]);
    assert.deepEqual(fed(), []);
  });

  it('is that of the root namespace alone', () => {
    const { fed, model } = setUp(configMap({ extensionProviders: [rpc] }, { namespace: 'shop' }));
    assert.deepEqual(fed(), []);
    assert.match(model.notes.get('ConfigMap/shop/istio') ?? '', /root namespace, istio-system, only/);
  });

  it('says what it does not change while everything runs', () => {
    const same = { trustDomain: 'cluster.local', rootNamespace: 'istio-system', enableTracing: true };
    assert.equal(setUp(configMap(same)).model.notes.size, 0);
    const other = { trustDomain: 'other.org', discoverySelectors: [{ matchLabels: { a: 'b' } }] };
    const note = setUp(configMap(other)).model.notes.get('ConfigMap/istio-system/istio') ?? '';
    assert.match(note, /trustDomain \(cluster.local holds\), discoverySelectors/);
  });

  it('makes a remark on a policy go that asks an authorizer which was not known', () => {
    const policy = readObject(
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'ask', namespace: 'shop' },
        spec: {
          targetRefs: [{ group: '', kind: 'Service', name: 'site' }],
          action: 'CUSTOM',
          provider: { name: 'rpc' },
          rules: [{}],
        },
      },
      () => ({ file: '', line: 1, column: 1 }),
    );
    assert.ok(policy.kind === 'accepted', JSON.stringify(policy));
    const { store, model } = setUp(policy.object);
    const note = () => model.notes.get('AuthorizationPolicy/shop/ask');
    assert.match(note() ?? '', /no external authorizer "rpc"/);
    store.apply([configMap({ extensionProviders: [rpc] })], []);
    assert.equal(note(), 'Service shop/site does not exist');
  });

  it('is refused with its fields, and no other ConfigMap is looked at', () => {
    const bad = read({ extensionProviders: [{ name: 'rpc', envoyExtAuthzGrpc: { service: 'ext' } }] });
    assert.ok(bad.kind === 'refused');
    assert.deepEqual(
      [bad.problems[0]?.field, bad.problems[0]?.reason],
      ['data.mesh', 'extensionProviders[0].envoyExtAuthzGrpc.port is required'],
    );
    assert.equal(read({}, { name: 'other' }).kind, 'ignored');
  });
});
