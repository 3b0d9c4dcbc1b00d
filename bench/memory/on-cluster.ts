/**
 * Memory of a node of a cluster: N pods with an Envoy sidecar each, then the same programs without, in the mesh of the
 * node's ztunnel and agent and of a waypoint; while every pod calls its neighbour 33 times a second. Processes are found by
 * the pods that they belong to, so the cluster has to run on this machine (kind, or a lab), with ambit installed. Writes
 * bench/results/memory-cluster.json, and takes away what it made.
 *
 * Run: NODE bench/memory/on-cluster.ts        MEMORY_PODS (30) and MEMORY_SERVICES (100), SETTLE_MS (20000)
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { apply, kubectl, kubectlJson, nodeNames, podsReady } from '../../test/helpers/cluster.ts';
import { GatewayCrd, gatewayObject, programmed } from '../../test/helpers/gateway-crd.ts';
import { fetchEnvoy } from '../envoy/fetch-envoy.ts';
import { cpuUs } from '../l4/process-cost.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { writeResults } from '../results.ts';
import { NAMESPACE, plainPods, podsWithSidecars } from './cluster-pods.ts';
import { type MemoryUse, memoryOf } from './process-memory.ts';

const PODS = Number(process.env['MEMORY_PODS'] ?? 30);
const SERVICES = Number(process.env['MEMORY_SERVICES'] ?? 100);
const SETTLE_MS = Number(process.env['SETTLE_MS'] ?? 20_000);
const CALLS_PER_SEC = 33;
const START_SEC = 300;

interface Pod {
  readonly metadata: { readonly uid: string; readonly name: string };
  readonly spec: { readonly nodeName: string };
}

interface Measured extends MemoryUse {
  readonly cpuMsPerSec: number;
}

async function podsOf(namespace: string, selector: string, node?: string): Promise<readonly Pod[]> {
  const { items } = await kubectlJson<{ items: Pod[] }>(['get', 'pods', '-n', namespace, '-l', selector]);
  return items.filter(({ spec }) => node === undefined || spec.nodeName === node);
}

/** Processes of the pods whose program is named so. */
function processesOf(pods: readonly Pod[], program: RegExp): number[] {
  const uids = pods.flatMap(({ metadata: { uid } }) => [uid, uid.replaceAll('-', '_')]);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
        if (!uids.some((uid) => cgroup.includes(uid))) return false;
        return program.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has just ended.
        return false;
      }
    });
}

async function measure(pids: readonly number[]): Promise<Measured> {
  const spentUs = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const before = spentUs();
  await delay(SETTLE_MS);
  return { ...memoryOf(pids), cpuMsPerSec: (spentUs() - before) / SETTLE_MS };
}

async function freshNamespace(labels: Record<string, string>): Promise<void> {
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true', `--timeout=${START_SEC}s`]);
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } });
}

async function sidecars(node: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  const files = await peerCredentials(folder);
  const tls = { ca: readFileSync(files.ca, 'utf8'), leaf: readFileSync(files.leaf, 'utf8') };
  rmSync(folder, { recursive: true, force: true });
  await freshNamespace({});
  await apply(...podsWithSidecars({ node, pods: PODS, services: SERVICES, callsPerSec: CALLS_PER_SEC }, tls));
  await podsReady(NAMESPACE, START_SEC);
  await delay(SETTLE_MS);
  const pids = processesOf(await podsOf(NAMESPACE, 'app'), /^envoy /);
  if (pids.length !== PODS) throw new Error(`${pids.length} sidecars of ${PODS} pods run on this machine`);
  return measure(pids);
}

async function ambit(node: string): Promise<{ node: Measured; waypoint: Measured }> {
  await freshNamespace({ 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' });
  await apply(
    gatewayObject(NAMESPACE, 'gate'),
    ...plainPods({ node, pods: PODS, services: SERVICES, callsPerSec: CALLS_PER_SEC }),
  );
  await programmed(NAMESPACE, 'gate');
  await podsReady(NAMESPACE, START_SEC);
  await delay(SETTLE_MS);
  const ztunnel = processesOf(await podsOf('istio-system', 'app.kubernetes.io/name=ztunnel', node), / ztunnel/);
  const agent = processesOf(await podsOf('istio-system', 'app.kubernetes.io/name=ambit-agent', node), / agent/);
  const waypoint = processesOf(await podsOf(NAMESPACE, 'gateway.networking.k8s.io/gateway-name=gate'), / waypoint/);
  for (const [name, pids] of Object.entries({ ztunnel, agent, waypoint }))
    if (pids.length !== 1) throw new Error(`${pids.length} processes of ${name} are on this machine`);
  const [ofNode, ofWaypoint] = await Promise.all([measure([...ztunnel, ...agent]), measure(waypoint)]);
  return { node: ofNode, waypoint: ofWaypoint };
}

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
fetchEnvoy();
execFileSync(join(import.meta.dirname, 'load-envoy-image.sh'), { stdio: ['ignore', 'ignore', 'inherit'] });
const [node = ''] = await nodeNames();
const crd = new GatewayCrd();
await crd.ensure();
try {
  const theirs = await sidecars(node);
  const ours = await ambit(node);
  const ratio = (of: (use: MemoryUse) => number) => `1/${(of(theirs) / of(ours.node)).toFixed(1)}`;
  console.log(
    `${PODS} pods, ${SERVICES} services on ${node}: sidecars PSS ${mb(theirs.pssBytes)}, RSS ${mb(theirs.rssBytes)}, ${theirs.cpuMsPerSec.toFixed(0)} ms/s of CPU; ` +
      `ztunnel and agent PSS ${mb(ours.node.pssBytes)}, alone ${mb(ours.node.aloneBytes)} (${ratio(({ aloneBytes }) => aloneBytes)}), ` +
      `RSS ${mb(ours.node.rssBytes)} (${ratio(({ rssBytes }) => rssBytes)}), ${ours.node.cpuMsPerSec.toFixed(0)} ms/s; ` +
      `waypoint RSS ${mb(ours.waypoint.rssBytes)}, ${ours.waypoint.cpuMsPerSec.toFixed(0)} ms/s`,
  );
  writeResults('memory-cluster', {
    callsPerSecond: CALLS_PER_SEC,
    lines: [{ pods: PODS, services: SERVICES, sidecars: theirs, ...ours }],
  });
} finally {
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', `--timeout=${START_SEC}s`]);
  await crd.restore();
}
