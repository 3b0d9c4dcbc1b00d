import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { KubeClient, type WatchEvent } from '../../../src/kube/kube-client.ts';
import { CONFIG_MAPS, LEASES, NAMESPACES, PODS, SERVICES } from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

describe('KubeClient', () => {
  let api: FakeKubeApi;
  let client: KubeClient;

  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  it('creates, reads, replaces, patches and deletes an object', async () => {
    const created = await client.create(CONFIG_MAPS, 'demo', { metadata: { name: 'one' }, data: { a: '1' } });
    assert.ok(created.ok);
    assert.equal(created.value.apiVersion, 'v1');
    const replaced = await client.replace(CONFIG_MAPS, 'demo', 'one', { ...created.value, data: { a: '2' } });
    assert.ok(replaced.ok);
    const patched = await client.patch(CONFIG_MAPS, 'demo', 'one', { type: 'merge', body: { data: { b: '3' } } });
    assert.ok(patched.ok);
    const read = await client.get(CONFIG_MAPS, 'demo', 'one');
    assert.ok(read.ok);
    assert.deepEqual(read.value['data'], { a: '2', b: '3' });
    assert.ok((await client.delete(CONFIG_MAPS, 'demo', 'one')).ok);
    const gone = await client.get(CONFIG_MAPS, 'demo', 'one');
    assert.ok(!gone.ok && gone.error.isNotFound);
  });

  it('tells a name that is taken from a version that is old', async () => {
    const first = await client.create(LEASES, 'demo', { metadata: { name: 'two' }, spec: {} });
    assert.ok(first.ok);
    const again = await client.create(LEASES, 'demo', { metadata: { name: 'two' }, spec: {} });
    assert.ok(!again.ok && again.error.isAlreadyExists && !again.error.isConflict);
    api.put(LEASES, { metadata: { namespace: 'demo', name: 'two' }, spec: { holderIdentity: 'other' } });
    const late = await client.replace(LEASES, 'demo', 'two', first.value);
    assert.ok(!late.ok && late.error.isConflict && !late.error.isAlreadyExists);
  });

  it('deletes only the object with the uid that is asked for', async () => {
    api.put(SERVICES, { metadata: { namespace: 'demo', name: 'three', uid: 'u1' } });
    const refused = await client.delete(SERVICES, 'demo', 'three', { uid: 'u2' });
    assert.ok(!refused.ok && refused.error.isConflict);
    assert.ok((await client.delete(SERVICES, 'demo', 'three', { uid: 'u1' })).ok);
  });

  it('lists in pages and gives items their kind', async () => {
    for (let i = 0; i < 7; i++) api.put(PODS, { metadata: { namespace: 'pages', name: `p${i}` } });
    const first = await client.list(PODS, { namespace: 'pages', limit: 3 });
    assert.ok(first.ok);
    assert.equal(first.value.items.length, 3);
    assert.notEqual(first.value.continue, '');
    assert.equal(first.value.items[0]?.kind, 'Pod');
    const all = await client.listAll(PODS, { namespace: 'pages' }, 3);
    assert.ok(all.ok);
    assert.deepEqual(
      all.value.map(({ metadata }) => metadata.name),
      ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'],
    );
  });

  it('lists by label and by field', async () => {
    api.put(NAMESPACES, { metadata: { name: 'red', labels: { colour: 'red' } } });
    api.put(NAMESPACES, { metadata: { name: 'blue', labels: { colour: 'blue' } } });
    const red = await client.listAll(NAMESPACES, { labelSelector: 'colour=red' });
    assert.ok(red.ok);
    assert.deepEqual(
      red.value.map(({ metadata }) => metadata.name),
      ['red'],
    );
    const named = await client.listAll(NAMESPACES, { fieldSelector: 'metadata.name=blue' });
    assert.ok(named.ok && named.value.length === 1);
  });

  it('passes on changes of a watch until it is told to stop', async () => {
    const events: WatchEvent[] = [];
    const stop = new AbortController();
    const listed = await client.list(PODS, { namespace: 'watched' });
    assert.ok(listed.ok);
    const { resourceVersion } = listed.value;
    const options = { namespace: 'watched', resourceVersion, timeoutSec: 60 };
    const ended = client.watch(PODS, options, (event) => events.push(event), stop.signal);
    api.put(PODS, { metadata: { namespace: 'watched', name: 'a' } });
    api.put(PODS, { metadata: { namespace: 'elsewhere', name: 'a' } });
    api.put(PODS, { metadata: { namespace: 'watched', name: 'a', labels: { x: 'y' } } });
    api.remove(PODS, 'watched', 'a');
    await eventually('three events', () => events.length === 3);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    );
    stop.abort();
    assert.ok((await ended).ok);
  });

  it('ends a watch with the code of an ERROR event', async () => {
    const ended = client.watch(
      SERVICES,
      { resourceVersion: '1', timeoutSec: 60 },
      () => undefined,
      new AbortController().signal,
    );
    await eventually('the watch is there', () => api.watcherCount(SERVICES) === 1);
    api.watchError(SERVICES, 410);
    const result = await ended;
    assert.ok(!result.ok && result.error.isGone);
  });

  it('says that an answer did not come in time', async () => {
    api.hang = (_, path) => path.endsWith('/slow');
    const person = new KubeClient({ ...api.config, unreachableHint: ': is it up?' }, { clock: systemClock });
    const result = await person.get(PODS, 'demo', 'slow', { timeoutMs: 50 });
    person.close();
    assert.ok(!result.ok);
    assert.equal(result.error.code, 'KUBE_TIMEOUT');
    assert.match(result.error.message, /slow: API server \S+:\d+: no answer in 50 ms: is it up\?$/);
    api.hang = () => false;
  });

  it('says what the API server refused, and to a role what to do', async () => {
    const role = new KubeClient({ ...api.config, forbiddenHint: 'compare the ClusterRole' }, { clock: systemClock });
    api.refuse = () => 403;
    const result = await client.list(PODS);
    const ofRole = await role.list(PODS);
    api.refuse = () => undefined;
    role.close();
    assert.ok(!result.ok && !ofRole.ok);
    assert.equal(result.error.status, 403);
    assert.equal(result.error.reason, 'Forbidden');
    assert.match(result.error.message, /with 403: Forbidden by the test$/);
    assert.match(ofRole.error.message, /: compare the ClusterRole$/);
  });

  it('reads again when the server has just closed the kept connection', async () => {
    assert.ok((await client.list(PODS)).ok);
    api.dropConnections();
    assert.ok((await client.list(PODS)).ok);
  });

  it('resolves with KUBE_UNREACHABLE when nobody listens', async () => {
    const other = await FakeKubeApi.start();
    const { config } = other;
    await other.stop();
    const lonely = new KubeClient(config, { clock: systemClock });
    const result = await lonely.get(PODS, 'demo', 'x');
    lonely.close();
    assert.ok(!result.ok);
    assert.equal(result.error.code, 'KUBE_UNREACHABLE');
    assert.equal(result.error.status, 0);
  });

  it('does not trust a server whose certificate another CA issued', async () => {
    const other = await FakeKubeApi.start();
    const wrong = new KubeClient({ ...api.config, caPem: other.config.caPem }, { clock: systemClock });
    const result = await wrong.get(PODS, 'demo', 'x');
    wrong.close();
    await other.stop();
    assert.ok(!result.ok);
    assert.equal(result.error.code, 'KUBE_UNREACHABLE');
  });

  it('keeps the token out of errors', async () => {
    const wrong = new KubeClient(
      { ...api.config, credentials: () => Promise.resolve({ token: 'secret-token' }) },
      { clock: systemClock },
    );
    const result = await wrong.get(PODS, 'demo', 'x');
    wrong.close();
    assert.ok(!result.ok);
    assert.equal(result.error.status, 401);
    assert.doesNotMatch(result.error.message, /secret-token/);
  });
});
