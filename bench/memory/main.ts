/**
 * Memory of a node: N pods with an Envoy sidecar each, against one ztunnel and one agent for all of them, and one waypoint
 * for their namespace; idle, and while every pod calls its neighbour 33 times a second, with S services in the mesh.
 *
 * Run as root: make bench-memory-sidecars      MEMORY_PODS (1,10,30,100) and MEMORY_SERVICES (10,100,1000) name what is
 * measured: all numbers of pods with 100 services, and all numbers of services with 30 pods.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp, type TcpListener } from '../../src/net/tcp-listener.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { ENVOY, fetchEnvoy } from '../envoy/fetch-envoy.ts';
import { cpuUs } from '../l4/process-cost.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { writeResults } from '../results.ts';
import { answerOn, application, type Caller, callOn } from './light-traffic.ts';
import { type MemoryUse, memoryOf } from './process-memory.ts';
import { sidecarConfig } from './sidecar-config.ts';

const numbers = (name: string, fallback: string) => (process.env[name] ?? fallback).split(',').map(Number);
const PODS = numbers('MEMORY_PODS', '1,10,30,100');
const SERVICES = numbers('MEMORY_SERVICES', '10,100,1000');
const USUAL_SERVICES = 100;
const USUAL_PODS = 30;
const CALLS_PER_SEC = 33;
const SETTLE_MS = Number(process.env['SETTLE_MS'] ?? 8000);
const FIRST_PORT = 20_000;
const POD_PORT = 8080;
/** `sleep` for so long names the pod in its process. */
const SLEEP_SEC = 10_000_000;

interface Measured {
  readonly idle: MemoryUse;
  readonly busy: MemoryUse;
  /** Of all proxies together, per second, under the calls. */
  readonly cpuMsPerSec: number;
  readonly answersPerSec: number;
}

/** Idle, then under the calls. */
async function measure(pids: readonly number[], call: () => Promise<readonly Caller[]>): Promise<Measured> {
  await delay(SETTLE_MS);
  const idle = memoryOf(pids);
  const callers = await call();
  await delay(SETTLE_MS / 2);
  const spentUs = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const answers = () => callers.reduce((sum, { answers: count }) => sum + count, 0);
  const before = { us: spentUs(), answers: answers() };
  await delay(SETTLE_MS);
  const seconds = SETTLE_MS / 1000;
  const measured = {
    idle,
    busy: memoryOf(pids),
    cpuMsPerSec: (spentUs() - before.us) / 1000 / seconds,
    answersPerSec: (answers() - before.answers) / seconds,
  };
  for (const caller of callers) caller.stop();
  return measured;
}

async function sidecars(folder: string, pods: number, services: number): Promise<Measured> {
  const children: ChildProcess[] = [];
  const applications: Server[] = [];
  const tls = await peerCredentials(folder);
  const outbound = (pod: number) => FIRST_PORT + 3 * pod;
  const mesh = Array.from({ length: services }, (_, index) => ({
    name: `s${index}`,
    endpointPort: outbound(index % pods) + 1,
  }));
  try {
    for (let pod = 0; pod < pods; pod++) {
      const file = join(folder, `sidecar-${pod}.json`);
      const ports = { outboundPort: outbound(pod), inboundPort: outbound(pod) + 1, applicationPort: outbound(pod) + 2 };
      writeFileSync(file, sidecarConfig({ ...ports, services: mesh, ...tls }));
      applications.push(await application(ports.applicationPort));
      const args = ['--concurrency', '1', '--base-id', String(1000 + pod), '-l', 'off', '-c', file];
      children.push(spawn(ENVOY, args, { stdio: 'ignore' }));
    }
    const pids = children.map(({ pid }) => pid ?? 0);
    await eventually('all sidecars listen', () => canConnect(outbound(pods - 1)));
    return await measure(pids, async () =>
      Promise.all(
        Array.from({ length: pods }, async (_, pod) => {
          const socket = await dialTcp({ destination: { address: '127.0.0.1', port: outbound(pod) } });
          return callOn(socket, `s${((pod + 1) % pods) % services}.bench`, CALLS_PER_SEC);
        }),
      ),
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
    for (const server of applications) server.close();
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function manifests(mesh: LocalMesh, pods: number, services: number): void {
  mesh.write(
    'mesh.yaml',
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'bench', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'gate', namespace: 'bench' },
      spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
    },
    ...Array.from({ length: services }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `s${index}`, namespace: 'bench' },
      spec: { selector: { app: `p${index % pods}` }, ports: [{ name: 'http', port: 80, targetPort: POD_PORT }] },
    })),
  );
  mesh.write(
    'pods.yaml',
    ...Array.from({ length: pods }, (_, pod) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p${pod}`, namespace: 'bench', labels: { app: `p${pod}` } },
      spec: { containers: [{ name: 'main', image: 'none', command: ['sleep', String(SLEEP_SEC + pod)] }] },
    })),
  );
}

/** Processes of the mesh, by pid, with their command lines. */
function commandLines(mesh: LocalMesh): Map<number, string> {
  const lines = new Map<number, string>();
  for (const entry of mesh.processes()) {
    const pid = Number(entry.split(' ')[0]);
    try {
      lines.set(pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // It has just ended.
    }
  }
  return lines;
}

async function ambit(pods: number, services: number): Promise<{ node: Measured; waypoint: MemoryUse }> {
  const mesh = new LocalMesh();
  const listeners: TcpListener[] = [];
  try {
    manifests(mesh, pods, services);
    await mesh.up(pods + 1, '--nodes', '1');
    await eventually('all pods', () => mesh.readyPods().length === pods + 1, 240_000);
    const lines = commandLines(mesh);
    const pidsOf = (text: string) => [...lines].filter(([, line]) => line.includes(text)).map(([pid]) => pid);
    const netns = Array.from({ length: pods }, (_, pod) => {
      const [pid] = pidsOf(`sleep ${SLEEP_SEC + pod} `);
      return openSync(`/proc/${pid}/ns/net`, 'r');
    });
    const addressOf = (pod: number) => mesh.readyPods().find(({ name }) => name === `p${pod}`)?.ips[0] ?? '';
    for (const [pod, netnsFd] of netns.entries()) {
      const endpoint = { address: addressOf(pod), port: POD_PORT };
      listeners.push(await listenTcp({ endpoint, netnsFd }, { onConnection: (one) => answerOn(one.open()) }));
    }
    const node = [...pidsOf(' ztunnel'), ...pidsOf(' agent')];
    const measured = await measure(node, () =>
      Promise.all(
        netns.map(async (netnsFd, pod) => {
          const to = (pod + 1) % pods;
          const destination = { address: addressOf(to), port: POD_PORT };
          return callOn(await dialTcp({ destination, netnsFd }), `s${to}.bench`, CALLS_PER_SEC);
        }),
      ),
    );
    return { node: measured, waypoint: memoryOf(pidsOf(' proxy waypoint')) };
  } finally {
    for (const listener of listeners) listener.close();
    await mesh[Symbol.asyncDispose]();
  }
}

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
try {
  fetchEnvoy();
  const lines: object[] = [];
  const sizes = [
    ...PODS.map((pods) => ({ pods, services: USUAL_SERVICES })),
    ...SERVICES.filter((count) => count !== USUAL_SERVICES).map((services) => ({ pods: USUAL_PODS, services })),
  ];
  for (const { pods, services } of sizes) {
    const theirs = await sidecars(folder, pods, services);
    const { node, waypoint } = await ambit(pods, services);
    lines.push({ pods, services, sidecars: theirs, node, waypoint });
    const ratio = (of: (use: MemoryUse) => number) => `1/${(of(theirs.busy) / of(node.busy)).toFixed(1)}`;
    console.log(
      `${pods} pods, ${services} services: sidecars PSS ${mb(theirs.busy.pssBytes)}, RSS ${mb(theirs.busy.rssBytes)}; ` +
        `ztunnel and agent PSS ${mb(node.busy.pssBytes)}, alone ${mb(node.busy.aloneBytes)} (${ratio(({ aloneBytes }) => aloneBytes)}), ` +
        `RSS ${mb(node.busy.rssBytes)} (${ratio(({ rssBytes }) => rssBytes)}); waypoint ${mb(waypoint.anonymousBytes)} anonymous; ` +
        `CPU ${theirs.cpuMsPerSec.toFixed(0)} against ${node.cpuMsPerSec.toFixed(0)} ms/s for ` +
        `${theirs.answersPerSec.toFixed(0)} and ${node.answersPerSec.toFixed(0)} answers/s`,
    );
  }
  writeResults('memory-sidecars', { callsPerSecond: CALLS_PER_SEC, lines });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// Connections that were cut end in their own time.
process.exit(0);
