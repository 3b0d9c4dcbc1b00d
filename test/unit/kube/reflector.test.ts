import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { objectName } from '../../../src/kube/kube-object.ts';
import { allSynced, Reflector, type ReflectorOptions } from '../../../src/kube/reflector.ts';
import { AUTHORIZATION_POLICIES, PODS } from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

/** Waits are ten thousand times shorter. */
const hurriedClock = {
  ...systemClock,
  after: (delayMs: number, run: () => void) => systemClock.after(delayMs > 20_000 ? delayMs : delayMs / 1000, run),
};

describe('Reflector', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let held: Map<string, string>;
  let replaces: number;
  const reflectors: Reflector[] = [];
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
    client = new KubeClient(api.config, { clock: systemClock });
    held = new Map();
    replaces = 0;
  });
  afterEach(async () => {
    for (const reflector of reflectors.splice(0)) await reflector.stop();
    client.close();
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  function reflect(options: Partial<ReflectorOptions> = {}): Reflector {
    const reflector = new Reflector(
      { kind: PODS, ...options },
      { client, clock: hurriedClock, logger: silentLogger, random: () => 0.5 },
      {
        replace: (objects) => {
          replaces++;
          held = new Map(objects.map((object) => [objectName(object), object.metadata.labels?.['v'] ?? '']));
        },
        upsert: (object) => held.set(objectName(object), object.metadata.labels?.['v'] ?? ''),
        remove: (object) => held.delete(objectName(object)),
      },
    );
    reflectors.push(reflector);
    reflector.start();
    return reflector;
  }

  const pod = (name: string, v = '') => api.put(PODS, { metadata: { namespace: 'demo', name, labels: { v } } });

  it('gives the complete list first, from all pages, and then every change', async () => {
    for (let i = 0; i < 5; i++) pod(`p${i}`);
    const reflector = reflect({ pageSize: 2 });
    await reflector.synced;
    assert.equal(held.size, 5);
    assert.equal(replaces, 1);
    pod('p5', 'new');
    pod('p0', 'changed');
    api.remove(PODS, 'demo', 'p1');
    await eventually('changes', () => held.size === 5 && held.get('demo/p0') === 'changed');
    assert.equal(held.get('demo/p5'), 'new');
    assert.equal(held.has('demo/p1'), false);
    assert.equal(replaces, 1);
  });

  it('continues a broken watch where it stopped, without a new list', async () => {
    const reflector = reflect();
    await reflector.synced;
    await eventually('watching', () => api.watcherCount(PODS) === 1);
    for (const how of ['reset', 'end'] as const) {
      api.breakWatches(how);
      pod(`while-${how}`);
      await eventually(`what happened during ${how}`, () => held.has(`demo/while-${how}`));
    }
    assert.equal(replaces, 1);
  });

  it('resumes from the version of the last bookmark', async () => {
    const reflector = reflect();
    await reflector.synced;
    await eventually('watching', () => api.watcherCount(PODS) === 1);
    api.bookmark();
    pod('marker');
    await eventually('bookmark and marker', () => held.has('demo/marker'));
    const version = api.get(PODS, 'demo', 'marker')?.metadata.resourceVersion;
    api.bookmark();
    api.breakWatches('end');
    const watches = () => api.requests.filter((line) => line.includes('watch=true'));
    await eventually('a second watch', () => watches().length > 1);
    const resumed = new URLSearchParams(watches()[1]?.split('?')[1]).get('resourceVersion');
    assert.equal(resumed, String(Number(version) + 1));
  });

  it('lists again when history is gone, and drops what was deleted meanwhile', async () => {
    pod('stays');
    pod('goes');
    const reflector = reflect();
    await reflector.synced;
    await eventually('watching', () => api.watcherCount(PODS) === 1);
    api.refuse = (_, path) => (path.endsWith('/pods') ? 503 : undefined);
    api.breakWatches('reset');
    await eventually('no watch', () => api.watcherCount(PODS) === 0);
    api.remove(PODS, 'demo', 'goes');
    api.expireHistory();
    assert.equal(held.size, 2, 'what was known stays in force while the API server is away');
    api.refuse = () => undefined;
    await eventually('listed again', () => replaces === 2);
    assert.deepEqual([...held.keys()], ['demo/stays']);
  });

  it('lists again after an ERROR event with 410 in the middle of a watch', async () => {
    const reflector = reflect();
    await reflector.synced;
    await eventually('watching', () => api.watcherCount(PODS) === 1);
    api.watchError(PODS, 410);
    await eventually('listed again', () => replaces === 2);
  });

  it('starts over when pages expire between two of them', async () => {
    for (let i = 0; i < 4; i++) pod(`p${i}`);
    let expired = false;
    api.refuse = (method) => {
      const last = api.requests.at(-1) ?? '';
      if (method === 'GET' && last.includes('continue=') && !expired) {
        expired = true;
        return 410;
      }
      return undefined;
    };
    const reflector = reflect({ pageSize: 2 });
    await reflector.synced;
    assert.equal(expired, true);
    assert.equal(held.size, 4);
    assert.equal(replaces, 1);
  });

  it('counts a kind that is not installed as empty, and sees it once it is', async () => {
    api.unserve(AUTHORIZATION_POLICIES);
    const reflector = reflect({ kind: AUTHORIZATION_POLICIES });
    await reflector.synced;
    assert.equal(replaces, 1);
    api.serve(AUTHORIZATION_POLICIES);
    api.put(AUTHORIZATION_POLICIES, { metadata: { namespace: 'demo', name: 'deny' } });
    await eventually('the policy', () => held.has('demo/deny'));
  });

  it('reads an older version when the API server serves no newer one', async () => {
    api.unserve(AUTHORIZATION_POLICIES);
    const older = { ...AUTHORIZATION_POLICIES, version: 'v1beta1' };
    api.serve(older);
    api.put(older, { metadata: { namespace: 'demo', name: 'deny' } });
    const reflector = reflect({ kind: AUTHORIZATION_POLICIES, olderVersions: ['v1beta1'] });
    await reflector.synced;
    assert.deepEqual([...held.keys()], ['demo/deny']);
  });

  it('keeps policies through a moment in which their kind seems gone', async () => {
    api.put(AUTHORIZATION_POLICIES, { metadata: { namespace: 'demo', name: 'deny' } });
    const reflector = reflect({ kind: AUTHORIZATION_POLICIES });
    await reflector.synced;
    await eventually('watching', () => api.watcherCount(AUTHORIZATION_POLICIES) === 1);
    let looks = 0;
    api.refuse = (_, path) => (path.includes('authorizationpolicies') && looks++ < 2 ? 404 : undefined);
    api.breakWatches('end');
    await eventually('present again', () => looks > 2);
    await eventually('watching again', () => api.watcherCount(AUTHORIZATION_POLICIES) === 1);
    assert.deepEqual([...held.keys()], ['demo/deny']);
  });

  it('is not synced while it may not list, and tries again', async () => {
    api.refuse = (_, path) => (path.endsWith('/pods') ? 403 : undefined);
    const reflector = reflect();
    const waiting = await allSynced(new Map([['pods', reflector]]), 5, systemClock);
    assert.deepEqual(waiting, { ok: false, error: ['pods'] });
    api.refuse = () => undefined;
    await reflector.synced;
    assert.equal(reflector.hasSynced, true);
  });

  it('keeps what the transform leaves, without managed fields', async () => {
    pod('slim');
    let seen: unknown;
    const reflector = reflect({
      transform: (object) => {
        seen = object.metadata['managedFields'];
        return { ...object, metadata: { ...object.metadata, labels: { v: 'cut' } } };
      },
    });
    await reflector.synced;
    assert.equal(seen, undefined);
    assert.equal(held.get('demo/slim'), 'cut');
  });
});
