/** Contestants of the L4 bench: two pods each with the applications, and the proxies between them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LabPod, NetnsLab } from '../../test/helpers/netns.ts';
import { ENDS_WITH_BENCH } from '../end-process.ts';
import { haproxyResponder } from '../haproxy-responder.ts';
import { inPod, output } from './generators.ts';
import { type Cores, onCore } from './process-cost.ts';
import { APPLICATIONS, type Contestant, type PairOptions, type ProxyPair } from './proxy-pair.ts';

export interface Entry {
  readonly name: string;
  readonly start: (options: PairOptions) => Promise<ProxyPair>;
  readonly threads: number;
  readonly cores: Cores;
}

/** @param folder of the whole bench */
export async function enter(
  lab: NetnsLab,
  folder: string,
  { name, start, threads, cores }: Entry,
): Promise<Contestant> {
  const own = join(folder, name);
  mkdirSync(own);
  const client = lab.addPod(`${name}-client`);
  const server = lab.addPod(`${name}-server`);
  for (const pod of [client, server]) widenPorts(pod);
  const echo = inPod(server, cores, 'echo', String(APPLICATIONS.echo));
  await output(echo);
  const respond = haproxyResponder(APPLICATIONS.http, join(own, 'responder.cfg'));
  const receive = ['iperf3', '--server', '--port', String(APPLICATIONS.bulk)];
  const applications = [echo, startApplication(server, cores, respond), startApplication(server, cores, receive)];
  const pair = await start({ folder: own, client, server, threads, cores: cores.proxies });
  return {
    name,
    pair,
    client,
    cores,
    stop: async () => {
      await pair.stop();
      for (const child of applications) child.kill('SIGKILL');
    },
  };
}

function startApplication(pod: LabPod, cores: Cores, command: readonly string[]): ChildProcess {
  const inside = [...ENDS_WITH_BENCH, 'nsenter', `--net=${pod.path}`, ...command];
  return spawn('taskset', [...onCore(cores.load), ...inside], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Room for tens of thousands of short connections: without it the line of new tunnels measures the port search. */
function widenPorts(pod: LabPod): void {
  const settings =
    'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse; echo 10000 65000 > /proc/sys/net/ipv4/ip_local_port_range';
  pod.exec('sh', '-c', settings);
}
