/** The side of ambit in the memory bench: pods in `ambit up` that share a ztunnel and an agent, and have a waypoint. */
import { closeSync, openSync } from 'node:fs';
import { processStartTime } from '../../src/local/run-folder.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp, type TcpListener } from '../../src/net/tcp-listener.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import { LocalMesh } from '../../test/helpers/local-mesh.ts';
import { answerOn, type Caller, callOn } from './light-traffic.ts';
import { CALLS_PER_SEC, type Measured, measure, type NodeSize } from './measure.ts';
import { POD_PORT, sleepSec, writeManifests } from './mesh-manifests.ts';
import { MeshProcesses } from './mesh-processes.ts';
import { type MemoryUse, memoryOf } from './process-memory.ts';

/** For a hundred pods on a machine that does other things too. */
const START_LIMIT_MS = 240_000;

interface Pod {
  readonly address: string;
  readonly netnsFd: number;
}

export async function inMesh(size: NodeSize): Promise<{ node: Measured; waypoint: MemoryUse }> {
  const mesh = new LocalMesh();
  const pods: Pod[] = [];
  const listeners: TcpListener[] = [];
  try {
    writeManifests(mesh, size);
    await up(mesh, size.pods + 1);
    const processes = new MeshProcesses(mesh);
    const nodePids = [/ ztunnel/, / agent/].map((commandLine) => processes.pidOf(commandLine));
    const waypointPid = processes.pidOf(/ proxy waypoint/);
    for (let index = 0; index < size.pods; index++) pods.push(openPod(mesh, processes, index));
    for (const { address, netnsFd } of pods) {
      const endpoint = { address, port: POD_PORT };
      listeners.push(await listenTcp({ endpoint, netnsFd }, { onConnection: (one) => answerOn(one.open()) }));
    }
    const node = await measure(nodePids, () => callNeighbours(pods));
    return { node, waypoint: memoryOf([waypointPid]) };
  } finally {
    for (const listener of listeners) listener.close();
    for (const { netnsFd } of pods) closeSync(netnsFd);
    await mesh[Symbol.asyncDispose]();
  }
}

/** What `mesh.up` gives pods to get ready is too short for many of them, so it is told to wait for none. */
async function up(mesh: LocalMesh, pods: number): Promise<void> {
  await mesh.up(0, '--nodes', '1');
  const areReady = () => {
    if (processStartTime(mesh.pid) === undefined) throw new Error(`ambit up ended: ${mesh.output}`);
    return mesh.readyPods().length === pods;
  };
  await eventually('all pods are ready', areReady, START_LIMIT_MS);
}

function openPod(mesh: LocalMesh, processes: MeshProcesses, index: number): Pod {
  const address = mesh.readyPods().find(({ name }) => name === `p${index}`)?.ips[0];
  if (address === undefined) throw new Error(`pod p${index} has no address`);
  const pid = processes.pidOf(new RegExp(`^sleep ${sleepSec(index)} $`));
  return { address, netnsFd: openSync(`/proc/${pid}/ns/net`, 'r') };
}

/** From pod to pod, past the waypoint. */
function callNeighbours(pods: readonly Pod[]): Promise<Caller[]> {
  return Promise.all(
    pods.map(async ({ netnsFd }, index) => {
      const to = (index + 1) % pods.length;
      const destination = { address: pods[to]?.address ?? '', port: POD_PORT };
      return callOn(await dialTcp({ destination, netnsFd }), `s${to}.bench`, CALLS_PER_SEC);
    }),
  );
}
