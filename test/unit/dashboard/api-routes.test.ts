import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderResources } from '../../../src/cli/explain/folder-resources.ts';
import { whoMayCall } from '../../../src/cli/explain/who-may-call.ts';
import type { ApiHandler } from '../../../src/dashboard/api/api-handler.ts';
import { apiRoutes } from '../../../src/dashboard/api/api-routes.ts';
import type { MeshPrograms } from '../../../src/dashboard/mesh-programs.ts';
import { MeshReader } from '../../../src/dashboard/mesh-reader.ts';
import { TrafficCollector } from '../../../src/dashboard/traffic-collector.ts';
import type { Viewer } from '../../../src/dashboard/viewer.ts';
import type { MeshProxy } from '../../../src/model/mesh-proxy.ts';
import { addSamples, type EdgeReading } from '../../../src/traffic/edges.ts';
import { LabelCache, parseExposition } from '../../../src/traffic/parse-exposition.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const CANARY = fileURLToPath(new URL('../../../examples/canary', import.meta.url));
const proxy = (role: MeshProxy['role'], name: string): MeshProxy => ({
  role,
  namespace: 'istio-system',
  name,
  node: '',
  ip: '',
  ready: true,
});

const object = (kind: string, namespace: string, name: string) => ({
  kind,
  namespace,
  name,
  position: '',
  state: 'in force',
  findings: [],
});

/** A mesh of the example: a control plane that answers, one that does not, and a ztunnel. */
class ExampleMesh implements MeshPrograms {
  readonly controlPort = 8080;
  readonly asked: string[] = [];
  readonly #resources: string;

  constructor(resources: string) {
    this.#resources = resources;
  }

  async proxies(): Promise<readonly MeshProxy[]> {
    return [proxy('control', 'broken'), proxy('control', 'good'), proxy('ztunnel', 'ztunnel')];
  }

  async ask({ name }: MeshProxy, _: number, path: string): Promise<string> {
    this.asked.push(`${name} ${path}`);
    if (name === 'broken') throw new Error('it hangs');
    if (path === '/debug/resourcesz') return this.#resources;
    if (path === '/debug/objectsz') {
      return JSON.stringify([
        object('Service', 'canary', 'reviews'),
        object('Service', 'other', 'theirs'),
        object('Namespace', '', 'other'),
      ]);
    }
    const certificate = {
      identity: 'spiffe://cluster.local/ns/canary/sa/default',
      state: 'Available',
      error: '',
      notAfterMs: 5,
    };
    return JSON.stringify({ version: '1', connections: 0, certificates: [certificate] });
  }

  async follow(): Promise<void> {
    throw new Error('nothing is tapped here');
  }
}

describe('the questions of the pages', () => {
  const clock = new ManualClock();
  const everything: Viewer = { mayRead: () => true };
  const stranger: Viewer = { mayRead: (namespace) => namespace === 'elsewhere' };
  let mesh: ExampleMesh;
  let collector: TrafficCollector;
  let api: ReadonlyMap<string, ApiHandler>;
  const ask = async (viewer: Viewer, path: string) => {
    const url = new URL(path, 'http://dashboard');
    return JSON.parse(JSON.stringify(await api.get(url.pathname)?.(viewer, url.searchParams))) as Record<
      string,
      unknown
    >;
  };

  before(async () => {
    const { resources } = await folderResources(CANARY);
    const types = [...resources].map(([type, all]) => [
      type,
      Object.fromEntries(all.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('base64')])),
    ]);
    mesh = new ExampleMesh(JSON.stringify(Object.fromEntries(types)));
    const reader = new MeshReader(mesh, clock);
    const source = {
      where: 'here',
      proxies: () => mesh.proxies(),
      read: async () => ({ edges: new Map(), policies: new Map(), missing: [] }),
    };
    collector = new TrafficCollector(source, clock);
    api = apiRoutes({
      where: 'here',
      version: '1',
      clock,
      collector,
      reader: () => reader,
      programs: () => mesh,
      judge: (feed, namespaces) => whoMayCall(feed.resources, namespaces, { clock, random: seededRandom() }),
      longHistory: undefined,
    });
  });

  it('are answered by any control plane that answers, and asked once in a few seconds', async () => {
    const service = await ask(everything, '/api/service?id=canary/reviews');
    assert.equal((service['endpoints'] as unknown[]).length, 2);
    await ask(everything, '/api/service?id=canary/reviews');
    const asked = () => mesh.asked.filter((one) => one === 'good /debug/resourcesz').length;
    assert.equal(asked(), 1);
    clock.advance(5000);
    await ask(everything, '/api/service?id=canary/reviews');
    assert.equal(asked(), 2);
  });

  it('say of a workload which certificates there are for it', async () => {
    const { certificates } = await ask(everything, '/api/workload?id=canary/reviews-v1');
    assert.deepEqual(certificates, [
      {
        proxy: 'istio-system/ztunnel',
        identity: 'spiffe://cluster.local/ns/canary/sa/default',
        state: 'Available',
        error: '',
        notAfterMs: 5,
      },
    ]);
  });

  it('tell a viewer nothing of namespaces that are not theirs, not even that something is there', async () => {
    for (const path of [
      '/api/service?id=canary/reviews',
      '/api/service?id=canary/nothing',
      '/api/workload?id=canary/reviews-v1',
    ]) {
      await assert.rejects(ask(stranger, path), /there is no .*, or you may not see it/, path);
    }
    await assert.rejects(ask(stranger, '/api/series?kind=service&id=canary/reviews'), /you may not see it/);
    await assert.rejects(ask(stranger, '/api/policies?namespace=canary'), /you may not see it/);
    assert.deepEqual(await ask(stranger, '/api/inventory'), { rows: [] });
    assert.deepEqual(await ask(stranger, '/api/config'), { objects: [] });
    const { namespaces, policies, permissions } = await ask(stranger, '/api/policies');
    assert.deepEqual([namespaces, policies], [[], []]);
    assert.deepEqual(permissions, { clients: [{ id: 'outside', identity: '' }], destinations: [], leftOut: 0 });
    const { proxies } = await ask(stranger, '/api/mesh');
    assert.deepEqual(proxies, []);
  });

  it('show of the objects those of the namespaces that a viewer may read, the Namespaces themselves among them', async () => {
    const { objects } = await ask({ mayRead: (namespace) => namespace === 'other' }, '/api/config');
    assert.deepEqual(
      (objects as { kind: string; name: string }[]).map(({ kind, name }) => `${kind} ${name}`),
      ['Service theirs', 'Namespace other'],
    );
  });

  it('tell of the chosen namespace who called in the last hour, and of no other one', async () => {
    const called = (opened: number): EdgeReading => {
      const text = ['canary', 'other'].map((namespace) => {
        const labels = {
          reporter: 'source',
          source_workload_namespace: 'foreign',
          source_workload: `spy-of-${namespace}`,
          destination_workload_namespace: namespace,
          destination_workload: 'db',
          destination_service_namespace: namespace,
          destination_service_name: 'db',
        };
        const written = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
        return `istio_tcp_connections_opened_total{${written.join(',')}} ${opened}`;
      });
      const reading = new Map();
      addSamples(
        reading,
        parseExposition(text.join('\n'), () => true, new LabelCache()),
      );
      return reading;
    };
    for (const [atMs, opened] of [
      [0, 1],
      [20_000, 5],
      [60_000, 5],
      [80_000, 5],
    ] as const)
      collector.history.add(called(opened), atMs, atMs);
    const viewer: Viewer = { mayRead: (namespace) => namespace === 'canary' || namespace === 'other' };
    const { observed } = await ask(viewer, '/api/policies?namespace=canary');
    assert.deepEqual(observed, [
      { client: 'foreign/spy-of-canary', destination: 'canary/db', perSec: 0, refusedPerSec: 0 },
    ]);
  });

  it('counts a call that both proxies tell of once, and tells refusals by policy from other failures', async () => {
    const called = (count: number): EdgeReading => {
      const of = (reporter: string, workload: string, flag: string) => {
        const ends = `source_workload_namespace="canary",source_workload="web",destination_workload_namespace="canary",destination_workload="${workload}"`;
        const labels = `reporter="${reporter}",${ends},destination_service_namespace="canary",destination_service_name="${workload}"`;
        return [
          `istio_tcp_connections_opened_total{${labels},response_flags="-"} ${count}`,
          `istio_tcp_connections_failed_total{${labels},response_flags="${flag}"} ${count}`,
        ];
      };
      const lines = [of('source', 'db', 'CONNECT'), of('destination', 'db', 'DENY'), of('source', 'gone', 'CONNECT')];
      const reading = new Map();
      addSamples(
        reading,
        parseExposition(lines.flat().join('\n'), () => true, new LabelCache()),
      );
      return reading;
    };
    for (const [atMs, count] of [
      [200_000, 0],
      [230_000, 0],
      [240_000, 80],
    ] as const)
      collector.history.add(called(count), atMs, atMs);
    const { observed } = await ask({ mayRead: () => true }, '/api/policies?namespace=canary');
    const ofWeb = (observed as { client: string }[]).filter(({ client }) => client === 'canary/web');
    assert.deepEqual(ofWeb, [
      { client: 'canary/web', destination: 'canary/db', perSec: 2, refusedPerSec: 2 },
      { client: 'canary/web', destination: 'canary/gone', perSec: 2, refusedPerSec: 0 },
    ]);
  });
});
