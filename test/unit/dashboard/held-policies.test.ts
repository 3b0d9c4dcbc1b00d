import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { folderResources } from '../../../src/cli/explain/folder-resources.ts';
import { objectsDump } from '../../../src/control/objects-dump.ts';
import { heldPolicies } from '../../../src/dashboard/held-policies.ts';
import { MeshFeed } from '../../../src/dashboard/mesh-feed.ts';
import { ObjectStore } from '../../../src/manifests/object-store.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';

const HERE = { file: 'a.yaml', line: 1, column: 1 };
const policy = (kind: string, name: string, spec: object) => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: { name, namespace: 'hello' },
  spec,
});
const selector = { matchLabels: { app: 'web' } };
const targetRefs = [{ kind: 'Service', group: '', name: 'web' }];
const MANIFESTS = [
  { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'hello' }, spec: { ports: [{ port: 80 }] } },
  policy('PeerAuthentication', 'strict', { mtls: { mode: 'STRICT' } }),
  policy('PeerAuthentication', 'lax', { selector, mtls: { mode: 'PERMISSIVE' } }),
  policy('PeerAuthentication', 'ports', {
    selector,
    mtls: { mode: 'STRICT' },
    portLevelMtls: { 8080: { mode: 'PERMISSIVE' } },
  }),
  policy('AuthorizationPolicy', 'guard', { targetRefs, rules: [{}] }),
  policy('AuthorizationPolicy', 'asked', { action: 'AUDIT', rules: [{}] }),
  policy('RequestAuthentication', 'guard', { targetRefs, jwtRules: [{ issuer: 'me', jwksUri: 'https://me/keys' }] }),
];
const HITS = new Map([
  ['istio-system/istio_converted_static_strict', new Map([['denied', 7]])],
  ['hello/converted_peer_authentication_ports', new Map([['denied', 5]])],
  ['hello/guard', new Map([['allowed', 3]])],
]);

describe('what proxies have of the policies', () => {
  let folder: string;
  let feed: MeshFeed;
  const store = new ObjectStore();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'held-policies-'));
    await writeFile(join(folder, 'mesh.yaml'), MANIFESTS.map((manifest) => JSON.stringify(manifest)).join('\n---\n'));
    feed = new MeshFeed((await folderResources(folder)).resources);
    for (const manifest of MANIFESTS) {
      const reading = readObject(manifest, () => HERE);
      assert.ok(reading.kind === 'accepted', JSON.stringify(reading));
      store.apply([reading.object], []);
    }
  });

  after(() => rm(folder, { recursive: true }));

  const heldFor = (mayRead: (namespace: string) => boolean) => {
    const mesh = { store, problems: [], notes: new Map(), positions: new Map(), rootNamespace: 'istio-system' };
    const heldOf = heldPolicies(feed, HITS, { mayRead });
    const listed = objectsDump(mesh, { accepted: [] }).filter(({ kind }) => kind !== 'Service');
    return Object.fromEntries(
      listed.map((object) => {
        const { atProxies, hits } = heldOf(object);
        return [`${object.kind} ${object.name}`, [atProxies, hits]];
      }),
    );
  };

  it('is told by kind and name, and so is how often they decided', () => {
    assert.deepEqual(
      heldFor(() => true),
      {
        'PeerAuthentication strict': [true, { denied: 7 }],
        'PeerAuthentication lax': [true, {}],
        'PeerAuthentication ports': [true, { denied: 5 }],
        'AuthorizationPolicy guard': [true, { allowed: 3 }],
        'AuthorizationPolicy asked': [false, {}],
        'RequestAuthentication guard': [true, {}],
      },
    );
  });

  it('leaves out what is counted for the whole mesh, for a viewer of one namespace', () => {
    const held = heldFor((namespace) => namespace === 'hello');
    assert.deepEqual(held['PeerAuthentication strict'], [true, {}]);
    assert.deepEqual(held['PeerAuthentication ports'], [true, { denied: 5 }]);
  });

  it('says of a refused PeerAuthentication that no proxy has it', () => {
    const object = { kind: 'PeerAuthentication', namespace: 'hello', name: 'bad', position: '', findings: [] };
    const held = heldPolicies(feed, HITS, { mayRead: () => true })({ ...object, state: 'refused' });
    assert.deepEqual(held, { atProxies: false, hits: {} });
  });
});
