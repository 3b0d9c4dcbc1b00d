/** Lines of the L7 bench through a mesh: ztunnel, waypoint, ztunnel against a pair of Envoy sidecars over mutual TLS. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { BODY, haproxyResponder } from '../haproxy-responder.ts';
import { LOAD_CORE, onCore, PROXY_CORE } from '../l4/process-cost.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { median } from '../quantiles.ts';
import type { Contestant } from './contestant.ts';
import { http1Load } from './load.ts';
import { type Line, measure, type Rounds } from './measure.ts';
import { GATEWAY, namespace, pod, service } from './mesh-objects.ts';
import { pidsOf } from './mesh-processes.ts';
import { envoy } from './peers.ts';

const PACE_PER_SEC = 1000;
const PACE_CONNECTIONS = 32;
const WINDOW_SECONDS = 1;
const WINDOWS_PER_ROUND = 5;

function pin(pids: readonly number[], core: number): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

/** A mesh of two nodes, and beside it two pods with a sidecar each. */
export async function meshLines(folder: string, rounds: Rounds): Promise<{ lines: Line[]; pace: object[] }> {
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
      'server',
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
      'client',
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
    const ours = [...pidsOf(mesh, ' ztunnel', 2), ...pidsOf(mesh, ' proxy waypoint', 1)];
    const envoys = [...pidsOf(mesh, 'envoy-client.json', 1), ...pidsOf(mesh, 'envoy-server.json', 1)];
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
    return { lines, pace };
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
