import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { parse } from 'yaml';
import { GATEWAYS, NAMESPACES } from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { runAmbit } from '../../helpers/run-ambit.ts';

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };

describe('ambit waypoint', { timeout: 120_000 }, () => {
  let api: FakeKubeApi;
  const apis: FakeKubeApi[] = [];

  beforeEach(async () => {
    api = await FakeKubeApi.start();
    apis.push(api);
  });
  after(async () => {
    for (const one of apis) await one.stop();
  });

  const ambit = (...args: string[]) => runAmbit(['waypoint', ...args], api.config);
  const labelsOf = (name: string) => api.get(NAMESPACES, '', name)?.metadata.labels;

  function putNamespace(labels: Readonly<Record<string, string>>): void {
    api.put(NAMESPACES, { metadata: { name: 'demo', labels } });
  }

  function putWaypoint(
    name: string,
    programmed: 'True' | 'False',
    namespace = 'demo',
    className = 'istio-waypoint',
  ): void {
    const conditions = [{ type: 'Programmed', status: programmed, reason: 'Why', message: 'so it is' }];
    const metadata = { name, namespace, labels: { 'istio.io/rev': 'next' } };
    api.put(GATEWAYS, { metadata, spec: { gatewayClassName: className }, status: { conditions } });
  }

  it('generate prints what apply applies', async () => {
    const flags = ['--name', 'gate', '-n', 'demo', '--for', 'all', '--revision', 'next'];
    const { stdout, code } = await ambit('generate', ...flags);
    assert.equal(code, 0);
    const printed = parse(stdout) as { metadata: { labels: object }; spec: object };
    assert.deepEqual(printed.metadata.labels, { 'istio.io/waypoint-for': 'all', 'istio.io/rev': 'next' });
    const applied = await ambit('apply', ...flags);
    assert.equal(applied.stdout, 'waypoint demo/gate applied\n', applied.stderr);
    const { metadata, spec } = api.get(GATEWAYS, 'demo', 'gate') ?? assert.fail();
    assert.deepEqual(spec, printed.spec);
    assert.deepEqual(metadata.labels, printed.metadata.labels);
  });

  it('apply uses the namespace of the context where none is named, and the name waypoint', async () => {
    assert.equal((await ambit('apply')).stdout, 'waypoint default/waypoint applied\n');
  });

  it('apply --enroll-namespace labels the namespace, and warns when it is not in the mesh', async () => {
    putNamespace({});
    const { stdout, stderr, code } = await ambit('apply', '-n', 'demo', '--enroll-namespace');
    assert.equal(code, 0);
    assert.match(stdout, /namespace demo labeled with "istio.io\/use-waypoint: waypoint"/);
    assert.match(stderr, /^warning: namespace demo is not in the mesh: kubectl label namespace demo istio\.io\//);
    assert.deepEqual(labelsOf('demo'), { 'istio.io/use-waypoint': 'waypoint' });
  });

  it('apply --enroll-namespace replaces another waypoint with --overwrite alone, before it changes anything', async () => {
    putNamespace({ ...AMBIENT, 'istio.io/use-waypoint': 'old', 'istio.io/use-waypoint-namespace': 'other' });
    const refused = await ambit('apply', '-n', 'demo', '--enroll-namespace');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /namespace demo uses waypoint other\/old already: --overwrite/);
    assert.deepEqual(api.objects(GATEWAYS), []);
    const { code, stderr } = await ambit('apply', '-n', 'demo', '--enroll-namespace', '--overwrite');
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(labelsOf('demo'), { ...AMBIENT, 'istio.io/use-waypoint': 'waypoint' });
  });

  it('apply --wait enrols the namespace once the waypoint is ready', async () => {
    putNamespace(AMBIENT);
    const running = ambit('apply', '-n', 'demo', '--enroll-namespace', '--wait');
    await eventually('the Gateway', () => api.get(GATEWAYS, 'demo', 'waypoint') !== undefined);
    const looks = () => api.requests.filter((request) => /^GET .*\/gateways\/waypoint$/.test(request)).length;
    await eventually('a look at it', () => looks() > 1);
    assert.deepEqual(labelsOf('demo'), AMBIENT);
    putWaypoint('waypoint', 'True');
    const { stdout, code } = await running;
    assert.equal(code, 0);
    const lines = stdout.trim().split('\n');
    assert.equal(lines[0], 'waypoint demo/waypoint applied');
    assert.match(lines[1] ?? '', /^waiting: waypoint demo\/waypoint: /);
    assert.equal(lines.at(-2), 'waypoint demo/waypoint is ready');
    assert.match(lines.at(-1) ?? '', /^namespace demo labeled/);
  });

  it('apply says what it cannot do', async () => {
    putWaypoint('edge', 'True', 'demo', 'istio');
    const taken = await ambit('apply', '-n', 'demo', '--name', 'edge');
    assert.match(taken.stderr, /Gateway demo\/edge is there already and is no waypoint/);
    assert.match((await ambit('apply', '--name', 'none')).stderr, /no waypoint can be called "none"/);
    assert.match((await ambit('apply', '--for', 'pods')).stderr, /Allowed choices are service, workload, all, none/);
    const slow = await ambit('apply', '-n', 'demo', '--wait', '--timeout', '1ms');
    assert.deepEqual([slow.code, /not ready in time: waypoint demo\/waypoint/.test(slow.stderr)], [1, true]);
    api.unserve(GATEWAYS);
    assert.match((await ambit('apply', '-n', 'demo')).stderr, /the cluster does not have the Gateway API/);
  });

  it('list shows waypoints and no other gateways', async () => {
    putWaypoint('b', 'True');
    putWaypoint('a', 'False');
    putWaypoint('edge', 'True', 'demo', 'istio');
    putWaypoint('far', 'True', 'other');
    assert.equal(
      (await ambit('list', '-n', 'demo')).stdout,
      'NAME   REVISION   PROGRAMMED\na      next       False\nb      next       True\n',
    );
    assert.match((await ambit('list', '-A')).stdout, /^NAMESPACE +NAME +.*\ndemo +a .*\ndemo +b .*\nother +far /);
    assert.equal((await ambit('list', '-n', 'empty')).stdout, 'no waypoints found\n');
    const listed = JSON.parse((await ambit('list', '-n', 'demo', '-o', 'json')).stdout) as { name: string }[];
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['a', 'b'],
    );
  });

  it('status tells why one is not ready, and says so with its exit status', async () => {
    putWaypoint('a', 'True');
    const fine = await ambit('status', '-n', 'demo');
    assert.deepEqual([fine.code, fine.stdout.split('\n')[1]], [0, 'a      True     Programmed   Why      so it is']);
    putWaypoint('b', 'False');
    const { code, stdout } = await ambit('status', '-n', 'demo', 'b', '-o', 'yaml');
    assert.equal(code, 1);
    assert.match(stdout, /^- namespace: demo\n {2}name: b\n[\s\S]*message: so it is\n/);
    const missing = await ambit('status', '-n', 'demo', 'c');
    assert.match(missing.stderr, /no waypoint in namespace demo is called c/);
  });

  it('delete takes away those that are named, and warns of a namespace that still uses one', async () => {
    putNamespace({ ...AMBIENT, 'istio.io/use-waypoint': 'a' });
    for (const name of ['a', 'b']) putWaypoint(name, 'True');
    putWaypoint('edge', 'True', 'demo', 'istio');
    const { code, stdout, stderr } = await ambit('delete', '-n', 'demo', 'a', 'edge');
    assert.equal(code, 1);
    assert.equal(stdout, 'waypoint demo/a deleted\n');
    assert.match(stderr, /warning: namespace demo still uses waypoint demo\/a, and its traffic is refused without it/);
    assert.match(stderr, /no waypoint in namespace demo is called edge; there are: a, b/);
    assert.ok(api.get(GATEWAYS, 'demo', 'edge'));
    assert.equal((await ambit('delete', '-n', 'demo', '--all')).stdout, 'waypoint demo/b deleted\n');
    assert.equal((await ambit('delete', '-n', 'demo', '--all')).stdout, 'no waypoints in namespace demo\n');
  });

  it('delete wants either names or --all', async () => {
    assert.match((await ambit('delete')).stderr, /name the waypoints, or give --all/);
    assert.match((await ambit('delete', 'a', '--all')).stderr, /--all goes without names/);
  });
});
