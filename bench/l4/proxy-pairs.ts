/**
 * The contestants between a client pod and a server pod: an ambit ztunnel on each side; HAProxy on each side behind the
 * same redirection; HAProxy on each side reached directly.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { startAgent } from '../../src/agent/app.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { RuleApplier } from '../../src/agent/rule-applier.ts';
import { runCommand } from '../../src/agent/run-command.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { FakeCertificateSource } from '../../src/hbone/fake-certificate-source.ts';
import type { SpiffeId } from '../../src/model/spiffe.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import type { LabPod } from '../../test/helpers/netns.ts';
import { onCore, PROXY_CORE } from './process-cost.ts';

export interface ProxyPair {
  readonly name: 'ambit' | 'haproxy' | 'haproxy-bare';
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

/** The user that HAProxy's sockets belong to, by which the redirection lets them pass. */
const HAPROXY_UID = 64_000;
const HAPROXY_HEAD = `global
  nbthread 1
  maxconn 4000
  uid ${HAPROXY_UID}
  gid ${HAPROXY_UID}
defaults
  mode tcp
  timeout connect 5s
  timeout client 120s
  timeout server 120s
`;

/** HAProxy as a mutual TLS 1.3 TCP pair, one thread each, reached on ports of its own: no redirection, no NAT. */
export async function startBareHaproxyPair(options: PairOptions): Promise<ProxyPair> {
  const { server } = options;
  const tls = await writeCredentials(options.folder);
  const ports = portsOf(options);
  const listen = (name: string, bind: string, to: string) => `listen ${name}\n  bind ${bind}\n  server s ${to}\n`;
  const clientConfig = ports.map(([name], index) =>
    listen(name, `127.0.0.1:${21_001 + index}`, `${server.ipv4}:${21_011 + index} ${tls} force-tlsv13`),
  );
  const serverConfig = ports.map(([name, port], index) =>
    listen(name, `:${21_011 + index} ${tls} ssl-min-ver TLSv1.3`, `127.0.0.1:${port}`),
  );
  return haproxyPair('haproxy-bare', options, clientConfig, serverConfig, {
    host: '127.0.0.1',
    echoPort: 21_001,
    sinkPort: 21_002,
    httpPort: 21_003,
  });
}

/** The same behind the same in-pod redirection as ambit: what HAProxy would do as the data path of a mesh. */
export async function startHaproxyPair(options: PairOptions): Promise<ProxyPair> {
  const { client, server, echoPort, sinkPort, httpPort } = options;
  const rules = new RuleApplier('iptables', { run: runCommand, log: silentLogger });
  for (const pod of [client, server]) {
    await rules.apply(pod.path, { ...parseAgentConfig([], {}).rules, dnsCapture: false });
    pod.exec(
      'iptables',
      '-t',
      'nat',
      '-I',
      'ISTIO_OUTPUT',
      '1',
      '-p',
      'tcp',
      '-m',
      'owner',
      '--uid-owner',
      String(HAPROXY_UID),
      '-j',
      'ACCEPT',
    );
    pod.exec('iptables', '-t', 'nat', '-I', 'ISTIO_PRERT', '1', '-p', 'tcp', '--dport', '15009:15010', '-j', 'ACCEPT');
  }
  const tls = await writeCredentials(options.folder);
  const ports = portsOf(options);
  const clientConfig = [
    `frontend captured\n  bind :15001\n${ports.map(([name, port]) => `  use_backend ${name} if { dst_port ${port} }\n`).join('')}`,
    ...ports.map(
      ([name], index) => `backend ${name}\n  server s ${server.ipv4}:${15_008 + index} ${tls} force-tlsv13\n`,
    ),
  ];
  const serverConfig = ports.map(
    ([name, port], index) =>
      `listen ${name}\n  bind :${15_008 + index} ${tls} ssl-min-ver TLSv1.3\n  server s ${server.ipv4}:${port}\n`,
  );
  return haproxyPair('haproxy', options, clientConfig, serverConfig, {
    host: server.ipv4,
    echoPort,
    sinkPort,
    httpPort,
  });
}

function portsOf({ echoPort, sinkPort, httpPort }: PairOptions): readonly (readonly [name: string, port: number])[] {
  return [
    ['echo', echoPort],
    ['sink', sinkPort],
    ['http', httpPort],
  ];
}

function haproxyPair(
  name: ProxyPair['name'],
  { folder, client, server }: PairOptions,
  clientConfig: readonly string[],
  serverConfig: readonly string[],
  target: Pick<ProxyPair, 'host' | 'echoPort' | 'sinkPort' | 'httpPort'>,
): ProxyPair {
  const start = (side: string, pod: LabPod, config: readonly string[]) => {
    const path = join(folder, `${name}-${side}.cfg`);
    writeFileSync(path, HAPROXY_HEAD + config.join(''));
    const command = ['nsenter', `--net=${pod.path}`, 'haproxy', '-db', '-q', '-f', path];
    return spawn('taskset', [...onCore(PROXY_CORE), ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const children = [start('server', server, serverConfig), start('client', client, clientConfig)];
  return {
    name,
    ...target,
    clientPid: children[1]?.pid ?? 0,
    serverPid: children[0]?.pid ?? 0,
    stop: async () => {
      for (const child of children) await stopChild(child);
    },
  };
}

/** @returns the arguments of a `bind` or `server` line */
async function writeCredentials(folder: string): Promise<string> {
  const source = new FakeCertificateSource(86_400_000, systemClock);
  const leaf = await source.fetch('spiffe://cluster.local/ns/bench/sa/haproxy' as SpiffeId);
  writeFileSync(join(folder, 'ca.pem'), leaf.rootsPem.join(''));
  writeFileSync(join(folder, 'leaf.pem'), leaf.chainPem.join('') + leaf.keyPem, { mode: 0o600 });
  return `ssl ca-file ${folder}/ca.pem crt ${folder}/leaf.pem verify required`;
}
