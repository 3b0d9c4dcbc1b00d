/** HAProxy on each side, as a contestant: behind the same redirection as ambit, or called directly. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabPod } from '../../test/helpers/netns.ts';
import { endProcess } from '../end-process.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { onCore } from './process-cost.ts';
import { APPLICATIONS, type PairOptions, type ProxyPair } from './proxy-pair.ts';
import { CAPTURE_PORT, PEER_PORT, redirect } from './redirection.ts';

const PORTS = Object.entries(APPLICATIONS);

/** The user that HAProxy's sockets belong to, by which the redirection lets them pass. */
const HAPROXY_UID = 64_000;
const haproxyHead = (threads: number) => `global
  nbthread ${threads}
  maxconn 4000
  uid ${HAPROXY_UID}
  gid ${HAPROXY_UID}
defaults
  mode tcp
  timeout connect 5s
  timeout client 120s
  timeout server 120s
`;

/** HAProxy as a mutual TLS 1.3 TCP pair, reached on ports of its own: no redirection, no NAT. */
export async function startBareHaproxyPair(options: PairOptions): Promise<ProxyPair> {
  const { server } = options;
  const tls = await credentials(options.folder);
  const listen = (name: string, bind: string, to: string) => `listen ${name}\n  bind ${bind}\n  server s ${to}\n`;
  const clientConfig = PORTS.map(([name], index) =>
    listen(name, `127.0.0.1:${21_001 + index}`, `${server.ipv4}:${21_011 + index} ${tls} force-tlsv13`),
  );
  const serverConfig = PORTS.map(([name, port], index) =>
    listen(name, `:${21_011 + index} ${tls} ssl-min-ver TLSv1.3`, `127.0.0.1:${port}`),
  );
  const ports = Object.fromEntries(PORTS.map(([name], index) => [name, 21_001 + index]));
  return haproxyPair(options, clientConfig, serverConfig, { host: '127.0.0.1', ports: ports as ProxyPair['ports'] });
}

/** The same behind the same in-pod redirection as ambit: what HAProxy would do as the data path of a mesh. */
export async function startHaproxyPair(options: PairOptions): Promise<ProxyPair> {
  const { client, server } = options;
  await redirect(client, server);
  const own = ['-p', 'tcp', '-m', 'owner', '--uid-owner', String(HAPROXY_UID), '-j', 'ACCEPT'];
  for (const pod of [client, server]) pod.exec('iptables', '-t', 'nat', '-I', 'ISTIO_OUTPUT', '1', ...own);
  const tls = await credentials(options.folder);
  const clientConfig = [
    `frontend captured\n  bind :${CAPTURE_PORT}\n${PORTS.map(([name, port]) => `  use_backend ${name} if { dst_port ${port} }\n`).join('')}`,
    ...PORTS.map(
      ([name], index) => `backend ${name}\n  server s ${server.ipv4}:${PEER_PORT + index} ${tls} force-tlsv13\n`,
    ),
  ];
  const serverConfig = PORTS.map(
    ([name, port], index) =>
      `listen ${name}\n  bind :${PEER_PORT + index} ${tls} ssl-min-ver TLSv1.3\n  server s ${server.ipv4}:${port}\n`,
  );
  return haproxyPair(options, clientConfig, serverConfig, { host: server.ipv4, ports: APPLICATIONS });
}

function haproxyPair(
  { folder, client, server, threads, cores }: PairOptions,
  clientConfig: readonly string[],
  serverConfig: readonly string[],
  target: Pick<ProxyPair, 'host' | 'ports'>,
): ProxyPair {
  const start = (side: string, pod: LabPod, config: readonly string[]) => {
    const path = join(folder, `haproxy-${side}.cfg`);
    writeFileSync(path, haproxyHead(threads) + config.join(''));
    const command = ['nsenter', `--net=${pod.path}`, 'haproxy', '-db', '-q', '-f', path];
    return spawn('taskset', [...onCore(cores), ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const children = [start('server', server, serverConfig), start('client', client, clientConfig)];
  return {
    ...target,
    clientPid: children[1]?.pid ?? 0,
    serverPid: children[0]?.pid ?? 0,
    stop: async () => {
      for (const child of children) await endProcess(child);
    },
  };
}

/** @returns the arguments of a `bind` or `server` line */
async function credentials(folder: string): Promise<string> {
  const { ca, leaf } = await peerCredentials(folder);
  return `ssl ca-file ${ca} crt ${leaf} verify required`;
}
