/** Lines of the L7 bench through a mesh: ztunnel, waypoint, ztunnel against a pair of Envoy sidecars over mutual TLS. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { BODY, haproxyResponder } from '../haproxy-responder.ts';
import { LOAD_CORE, memoryBytes, onCore, PROXY_CORE } from '../l4/process-cost.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { median } from '../quantiles.ts';
import type { Contestant } from './contestant.ts';
import { http1Load } from './load.ts';
import { type Line, measure, type Rounds } from './measure.ts';
import { envoy } from './peers.ts';

const PACE_PER_SEC = 1000;
const PACE_CONNECTIONS = 32;
const WINDOW_SECONDS = 1;
const WINDOWS_PER_ROUND = 5;
const CONFIG_OBJECTS = 5000;

const GATEWAY = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'bench' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function namespace(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function pod(namespaceName: string, name: string, nodeName: string, command: readonly string[]): object {
  const containers = [{ name: 'main', image: 'none', command }];
  const metadata = { name, namespace: namespaceName, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName, containers } };
}

function service(name: string): object {
  const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'bench' }, spec };
}

/** Processes of the mesh whose command line has the text. @throws Error where there are not so many: CPU would be missed */
function pidsOf(mesh: LocalMesh, text: string, count: number): number[] {
  const pids = mesh
    .processes()
    .map((entry) => Number(entry.split(' ')[0]))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text));
  if (pids.length !== count) throw new Error(`${pids.length} processes of "${text}" run, and not ${count}`);
  return pids;
}

function pin(pids: readonly number[], core: number): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

/** A mesh of two nodes, and beside it two pods with a sidecar each. */
export async function meshLines(
  folder: string,
  rounds: Rounds,
): Promise<{ lines: Line[]; pace: object[]; memory: object }> {
  const mesh = new LocalMesh();
  try {
    const tls = await peerCredentials(folder);
    const respond = haproxyResponder(8080, join(folder, 'mesh-responder.cfg'));
    const serverSidecar = envoy(
      folder,
      {
        listen: { address: '0.0.0.0', port: 15_006 },
        upstream: { address: '127.0.0.1', port: 8080 },
        tls: { ...tls, side: 'downstream' },
      },
      73,
    );
    mesh.write(
      'mesh.yaml',
      namespace('bench', { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' }),
      namespace('sidecars'),
      GATEWAY,
      service('site'),
    );
    mesh.write(
      'pods.yaml',
      pod('bench', 'client', 'node1', ['sleep', 'infinity']),
      pod('bench', 'site', 'node2', respond),
      pod('sidecars', 'site', 'node2', ['sh', '-c', `${respond.join(' ')} & exec ${serverSidecar.join(' ')}`]),
    );
    await mesh.up(4, '--nodes', '2');
    const siteIp =
      mesh.readyPods().find(({ namespace: ns, name }) => ns === 'sidecars' && name === 'site')?.ips[0] ?? '';
    const client = envoy(
      folder,
      {
        listen: { address: '127.0.0.1', port: 15_001 },
        upstream: { address: siteIp, port: 15_006 },
        tls: { ...tls, side: 'upstream' },
      },
      72,
    );
    mesh.write('sidecar.yaml', pod('sidecars', 'client', 'node1', client));
    await eventually('the sidecar', () => mesh.readyPods().length === 5);
    const start =
      (namespaceName: string) =>
      async (...command: string[]) => {
        const args = ['client', '-n', namespaceName, '--', 'taskset', ...onCore(LOAD_CORE), ...command];
        const { stdout, stderr, status } = await mesh.exec(...args);
        if (status !== 0) throw new Error(`${command[0]} failed: ${stderr}`);
        return stdout;
      };
    const callers = [
      { name: 'ambit', url: 'http://site', run: start('bench') },
      { name: 'envoy sidecars', url: 'http://127.0.0.1:15001', run: start('sidecars') },
    ] as const;
    await eventually('answers', async () => {
      const answers = await Promise.all(callers.map(({ url, run }) => run('curl', '-s', url).catch(() => '')));
      return answers.every((text) => text === BODY);
    });
    const waypoints = pidsOf(mesh, ' proxy waypoint', 1);
    const ours = [...pidsOf(mesh, ' ztunnel', 2), ...waypoints];
    const envoys = pidsOf(mesh, '--base-id', 2);
    pin([...ours, ...envoys], PROXY_CORE);
    pin(pidsOf(mesh, 'mesh-responder.cfg', 2), LOAD_CORE);
    const contestants: readonly Contestant[] = [
      { ...callers[0], pids: ours },
      { ...callers[1], pids: envoys },
    ];
    const title = 'through the mesh, mutual TLS';
    const lines = [
      await measure({ title, connections: 16, load: http1Load(16) }, contestants, rounds),
      await measure({ title, connections: 64, load: http1Load(64) }, contestants, rounds),
    ];
    const pace = await paced(contestants, rounds);
    return { lines, pace, memory: await configurationMemory(mesh, waypoints[0] ?? 0, callers[0].run) };
  } finally {
    await mesh[Symbol.asyncDispose]();
  }
}

/**
 * Latency under a pace that leaves the proxies idle most of the time: in many windows of a second, in turns, of which the median
 * counts. So what the machine does for others in some of them moves no result. Before that each gets the pace for a while.
 */
async function paced(contestants: readonly Contestant[], { rounds, seconds }: Rounds): Promise<object[]> {
  const runs = contestants.map((): { p50Us: number; p99Us: number }[] => []);
  for (const contestant of contestants) await atPace(contestant, rounds * seconds);
  for (let window = 0; window < rounds * WINDOWS_PER_ROUND; window++) {
    for (const [index, contestant] of contestants.entries())
      runs[index]?.push(await atPace(contestant, WINDOW_SECONDS));
  }
  return contestants.map(({ name }, index) => {
    const p50Us = median((runs[index] ?? []).map((one) => one.p50Us));
    const p99Us = median((runs[index] ?? []).map((one) => one.p99Us));
    console.log(`${name}: ${PACE_PER_SEC} requests per second, p50 ${p50Us.toFixed(0)} µs, p99 ${p99Us.toFixed(0)} µs`);
    return { name, perSecond: PACE_PER_SEC, p50Us, p99Us, runs: runs[index] };
  });
}

async function atPace({ url, run }: Contestant, seconds: number): Promise<{ p50Us: number; p99Us: number }> {
  const generator = join(import.meta.dirname, '../paced.ts');
  const numbers = [PACE_PER_SEC, seconds, PACE_CONNECTIONS].map(String);
  const outcome = JSON.parse(await run(process.execPath, generator, url, ...numbers));
  if (outcome.failures > 0) throw new Error(`${outcome.failures} of the requests at a fixed pace failed: ${url}`);
  return outcome;
}

/** What thousands of routes and backends take on top. */
async function configurationMemory(mesh: LocalMesh, pid: number, run: Contestant['run']): Promise<object> {
  const before = memoryBytes(pid).anonymous;
  const objects = Array.from({ length: CONFIG_OBJECTS }, (_, index) => [
    service(`s${index}`),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: `v${index}`, namespace: 'bench' },
      spec: {
        hosts: [`s${index}`],
        http: [
          {
            match: [{ uri: { prefix: `/api/${index}/` } }],
            route: [{ destination: { host: `s${(index + 1) % CONFIG_OBJECTS}` } }],
            timeout: '5s',
          },
          { route: [{ destination: { host: `s${index}` } }] },
        ],
      },
    },
  ]).flat();
  mesh.write('many.yaml', ...objects);
  // Who knows it has no endpoint for it.
  const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}'];
  const last = CONFIG_OBJECTS - 1;
  const ask = () => run(...curl, `http://s${last}/api/${last}/`).catch(() => 'not reached');
  await eventually('the last route', async () => (await ask()) === '503');
  await eventually('the configuration', async () => {
    const after = memoryBytes(pid).anonymous;
    await delay(5000);
    return after - before > 5e6 && Math.abs(memoryBytes(pid).anonymous - after) < 1e6;
  });
  const bytes = memoryBytes(pid).anonymous - before;
  console.log(
    `${CONFIG_OBJECTS} services with a route each: ${(bytes / 1e6).toFixed(1)} MB on top of ${(before / 1e6).toFixed(1)} MB`,
  );
  return { services: CONFIG_OBJECTS, beforeBytes: before, addedBytes: bytes };
}
