/** An ambit ztunnel on each side, as a contestant. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import type { LabPod } from '../../test/helpers/netns.ts';
import { endProcess } from '../end-process.ts';
import { onCore } from './process-cost.ts';
import { APPLICATIONS, type PairOptions, type ProxyPair } from './proxy-pair.ts';

const LAUNCHER = join(import.meta.dirname, '../../bin/ambit');

/** One ztunnel per pod, as on two nodes. */
export async function startAmbitPair(options: PairOptions): Promise<ProxyPair> {
  const { folder, client, server } = options;
  const feed = join(folder, 'feed.yaml');
  const pods = [
    ['client', client],
    ['server', server],
  ] as const;
  writeFileSync(
    feed,
    JSON.stringify({
      workloads: pods.map(([name, pod]) => ({
        uid: `Kubernetes//Pod/bench/${name}`,
        name,
        namespace: 'bench',
        serviceAccount: name,
        trustDomain: 'cluster.local',
        workloadIps: [pod.ipv4],
        protocol: 'HBONE',
        node: name,
        clusterId: 'Kubernetes',
        workloadName: name,
        canonicalName: name,
        canonicalRevision: 'latest',
        services: {},
      })),
    }),
  );
  const sides = await Promise.all(pods.map(([name, pod]) => startSide(name, pod, feed, options)));
  const [clientSide, serverSide] = sides;
  return {
    host: server.ipv4,
    ports: APPLICATIONS,
    clientPid: clientSide?.child.pid ?? 0,
    serverPid: serverSide?.child.pid ?? 0,
    stop: async () => {
      for (const { child, agent } of sides) {
        await endProcess(child);
        await agent.stop();
      }
    },
  };
}

/** All share the node's loopback: each has a port of its own. */
let lastReadinessPort = 25_020;

async function startSide(name: string, pod: LabPod, feed: string, { folder, threads, cores }: PairOptions) {
  const zdsPath = join(folder, `${name}.zds`);
  const socketPath = join(folder, `${name}.agent`);
  const flags = ['--ztunnel-uds-address', zdsPath, '--cni-event-address', socketPath];
  const agent = await startAgent(parseAgentConfig([...flags, '--readiness-address', '127.0.0.1:0'], {}), {
    log: silentLogger,
  });
  lastReadinessPort += 1;
  const readinessPort = lastReadinessPort;
  const child = spawn('taskset', [...onCore(cores), LAUNCHER, 'ztunnel'], {
    stdio: 'inherit',
    env: {
      PATH: process.env['PATH'],
      FAKE_CA: 'true',
      XDS_ADDRESS: '',
      LOCAL_XDS_PATH: feed,
      NODE_NAME: name,
      INPOD_UDS: zdsPath,
      ADMIN_PORT: '0',
      STATS_PORT: '0',
      READINESS_PORT: String(readinessPort),
      RUST_LOG: 'warn,access=off',
      ZTUNNEL_WORKER_THREADS: String(threads),
      ISTIO_META_DNS_CAPTURE: 'false',
      ...(process.env['BENCH_NODE_OPTIONS'] !== undefined && { NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] }),
    },
  });
  await eventually(`${name} ztunnel is ready`, readyCheck(readinessPort), 15_000);
  const body = {
    uid: name,
    name,
    namespace: 'bench',
    serviceAccount: name,
    netns: pod.path,
    ips: [pod.ipv4],
    annotations: {},
  };
  await post(socketPath, JSON.stringify(body));
  return { child, agent };
}

function readyCheck(port: number): () => boolean {
  let ready = false;
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/healthz/ready`).then(
      (response) => {
        ready ||= response.status === 200;
      },
      () => undefined,
    );
  let calls = 0;
  return () => {
    if (calls++ % 20 === 0) void ask();
    return ready;
  };
}

function post(socketPath: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: '/pods', method: 'POST' }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the agent answered ${response.statusCode}`));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
