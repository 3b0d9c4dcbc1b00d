/**
 * An Envoy sidecar on each side, as a contestant: behind the same redirection as ambit, an HTTP filter chain for the
 * application's HTTP port as Istio gives it, mutual TLS between both, no access log. Less than a sidecar of Istio has: no
 * telemetry of its own, no policies, and of the mesh the one service that is called.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../test/helpers/eventually.ts';
import type { LabPod } from '../../test/helpers/netns.ts';
import { endProcess } from '../end-process.ts';
import { cluster, type EnvoyCredentials, httpFilter, mutualTls, socketAddress, TYPE } from '../envoy/config-parts.ts';
import { ENVOY } from '../envoy/fetch-envoy.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { onCore } from './process-cost.ts';
import { APPLICATIONS, type PairOptions, type ProxyPair } from './proxy-pair.ts';
import { CAPTURE_PORT, PEER_PORT, redirect } from './redirection.ts';

/** SOL_SOCKET and SO_MARK (socket(7)) with ztunnel's mark: what Envoy opens is not redirected again. */
const UNREDIRECTED = { level: 1, name: 36, int_value: 0x539, state: 'STATE_PREBIND' };

/** Serves requests only: the other applications have no listener. */
export async function startEnvoyPair(options: PairOptions): Promise<ProxyPair> {
  const { folder, client, server, threads, cores } = options;
  await redirect(client, server);
  const tls = await peerCredentials(folder);
  const start = (side: string, pod: LabPod, config: object) => {
    const path = join(folder, `envoy-${side}.json`);
    writeFileSync(path, JSON.stringify(config));
    const envoy = [ENVOY, '--concurrency', String(threads), '--disable-hot-restart', '-l', 'off', '-c', path];
    const command = ['nsenter', `--net=${pod.path}`, ...envoy];
    return spawn('taskset', [...onCore(cores), ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const serverSide = start('server', server, serverConfig(tls));
  const clientSide = start('client', client, clientConfig(server.ipv4, tls));
  const listens = (pod: LabPod, port: number) => pod.exec('ss', '-Htln', `sport = :${port}`) !== '';
  await eventually('both sidecars', () => listens(server, PEER_PORT) && listens(client, CAPTURE_PORT), 20_000);
  return {
    host: server.ipv4,
    ports: APPLICATIONS,
    clientPid: clientSide.pid ?? 0,
    serverPid: serverSide.pid ?? 0,
    stop: async () => {
      for (const child of [serverSide, clientSide]) await endProcess(child);
    },
  };
}

function clientConfig(serverIp: string, tls: EnvoyCredentials): object {
  const originalDestination = {
    name: 'envoy.filters.listener.original_dst',
    typed_config: { '@type': `${TYPE}.filters.listener.original_dst.v3.OriginalDst` },
  };
  const listener = {
    address: socketAddress('0.0.0.0', CAPTURE_PORT),
    listener_filters: [originalDestination],
    filter_chains: [{ filter_chain_match: { destination_port: APPLICATIONS.http }, filters: [forwardAll('outbound')] }],
  };
  return sidecar(listener, {
    ...cluster('outbound', serverIp, PEER_PORT),
    ...mutualTls('upstream', tls),
    upstream_bind_config: {
      source_address: socketAddress('0.0.0.0', 0).socket_address,
      socket_options: [UNREDIRECTED],
    },
  });
}

function serverConfig(tls: EnvoyCredentials): object {
  const listener = {
    address: socketAddress('0.0.0.0', PEER_PORT),
    filter_chains: [{ filters: [forwardAll('inbound')], ...mutualTls('downstream', tls) }],
  };
  return sidecar(listener, cluster('inbound', '127.0.0.1', APPLICATIONS.http));
}

function sidecar(listener: object, upstream: object): object {
  return { static_resources: { listeners: [listener], clusters: [upstream] } };
}

function forwardAll(upstream: string): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster: upstream, timeout: '0s' } }];
  return httpFilter(upstream, [{ name: 'all', domains: ['*'], routes }]);
}
