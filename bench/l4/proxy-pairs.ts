/** The two contestants between a client pod and a server pod: an ambit ztunnel on each side, HAProxy on each side. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { FakeCertificateSource } from '../../src/ztunnel/fake-certificate-source.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import type { LabPod } from '../../test/helpers/netns.ts';
import { onCore, PROXY_CORE } from './process-cost.ts';

export interface ProxyPair {
  readonly name: 'ambit' | 'haproxy';
  /** Where the client connects to reach the server's echo and sink. */
  readonly host: string;
  readonly echoPort: number;
  readonly sinkPort: number;
  readonly httpPort: number;
  readonly clientPid: number;
  readonly serverPid: number;
  stop(): Promise<void>;
}

export interface PairOptions {
  readonly folder: string;
  readonly client: LabPod;
  readonly server: LabPod;
  readonly echoPort: number;
  readonly sinkPort: number;
  readonly httpPort: number;
}

const LAUNCHER = join(import.meta.dirname, '../../bin/ambit');

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

/** One ztunnel per pod, as on two nodes, one data thread each. */
export async function startAmbitPair(options: PairOptions): Promise<ProxyPair> {
  const { folder, client, server, echoPort, sinkPort, httpPort } = options;
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
  const sides = await Promise.all(pods.map(([name, pod], index) => startSide(name, pod, index, folder, feed)));
  const [clientSide, serverSide] = sides;
  return {
    name: 'ambit',
    host: server.ipv4,
    echoPort,
    sinkPort,
    httpPort,
    clientPid: clientSide?.child.pid ?? 0,
    serverPid: serverSide?.child.pid ?? 0,
    stop: async () => {
      for (const { child, agent } of sides) {
        await stopChild(child);
        await agent.stop();
      }
    },
  };
}

async function startSide(name: string, pod: LabPod, index: number, folder: string, feed: string) {
  const zdsPath = join(folder, `${name}.zds`);
  const socketPath = join(folder, `${name}.agent`);
  const flags = ['--ztunnel-uds-address', zdsPath, '--cni-event-address', socketPath];
  const agent = await startAgent(parseAgentConfig([...flags, '--readiness-address', '127.0.0.1:0'], {}), {
    log: silentLogger,
  });
  const readinessPort = 25021 + index;
  const child = spawn('taskset', [...onCore(PROXY_CORE), LAUNCHER, 'ztunnel'], {
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
      ZTUNNEL_WORKER_THREADS: '1',
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

/** HAProxy as a mutual TLS 1.3 TCP pair in the same pods, one thread each. */
export async function startHaproxyPair(options: PairOptions): Promise<ProxyPair> {
  const { folder, client, server, echoPort, sinkPort, httpPort } = options;
  await writeCredentials(folder);
  const head =
    'global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 120s\n  timeout server 120s\n';
  const tls = `ssl ca-file ${folder}/ca.pem crt ${folder}/leaf.pem verify required`;
  const forward = (name: string, bind: string, to: string) => `listen ${name}\n  bind ${bind}\n  server s ${to}\n`;
  const clientConfig =
    head +
    forward('echo', '127.0.0.1:21001', `${server.ipv4}:21011 ${tls} force-tlsv13`) +
    forward('sink', '127.0.0.1:21002', `${server.ipv4}:21012 ${tls} force-tlsv13`) +
    forward('http', '127.0.0.1:21003', `${server.ipv4}:21013 ${tls} force-tlsv13`);
  const serverConfig =
    head +
    forward('echo', `:21011 ${tls} ssl-min-ver TLSv1.3`, `127.0.0.1:${echoPort}`) +
    forward('sink', `:21012 ${tls} ssl-min-ver TLSv1.3`, `127.0.0.1:${sinkPort}`) +
    forward('http', `:21013 ${tls} ssl-min-ver TLSv1.3`, `127.0.0.1:${httpPort}`);
  const start = (name: string, pod: LabPod, config: string) => {
    const path = join(folder, `${name}.cfg`);
    writeFileSync(path, config);
    return spawn(
      'taskset',
      [...onCore(PROXY_CORE), 'nsenter', `--net=${pod.path}`, 'haproxy', '-db', '-q', '-f', path],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
  };
  const children = [start('ha-server', server, serverConfig), start('ha-client', client, clientConfig)];
  const pid = (child: ChildProcess | undefined) => child?.pid ?? 0;
  return {
    name: 'haproxy',
    host: '127.0.0.1',
    echoPort: 21001,
    sinkPort: 21002,
    httpPort: 21003,
    clientPid: pid(children[1]),
    serverPid: pid(children[0]),
    stop: async () => {
      for (const child of children) await stopChild(child);
    },
  };
}

async function writeCredentials(folder: string): Promise<void> {
  const source = new FakeCertificateSource(86_400_000, systemClock);
  const leaf = await source.fetch('spiffe://cluster.local/ns/bench/sa/haproxy' as SpiffeId);
  writeFileSync(join(folder, 'ca.pem'), leaf.rootsPem.join(''));
  writeFileSync(join(folder, 'leaf.pem'), leaf.chainPem.join('') + leaf.keyPem, { mode: 0o600 });
}
