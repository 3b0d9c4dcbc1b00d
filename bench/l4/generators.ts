/** Load, from programs that run in the pods on the cores of the load. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { LabPod } from '../../test/helpers/netns.ts';
import { ENDS_WITH_BENCH } from '../end-process.ts';
import { readWrkReport } from '../wrk-report.ts';
import { type Cores, onCore } from './process-cost.ts';
import type { Contestant } from './proxy-pair.ts';

const TRAFFIC = join(import.meta.dirname, 'traffic.ts');
const PACED = join(import.meta.dirname, '../paced.ts');

/** What a generator counted. */
export interface Outcome {
  /** Requests, tunnels, or gigabytes. */
  readonly count: number;
  readonly perSecond?: number;
  readonly gigabitsPerSecond?: number;
  readonly p50Us?: number;
}

/** Of requests at a fixed pace. */
export interface Latencies {
  readonly count: number;
  readonly failures: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

/** Runs a command in a pod, on the cores of the load. @param stderr where it goes; piped, it is shown when the command fails */
export function startIn(
  pod: LabPod,
  cores: Cores,
  command: readonly string[],
  stderr: 'inherit' | 'pipe' = 'inherit',
): ChildProcess {
  return spawn('taskset', [...onCore(cores.load), ...ENDS_WITH_BENCH, 'nsenter', `--net=${pod.path}`, ...command], {
    stdio: ['pipe', 'pipe', stderr],
  });
}

/** One of the commands of `traffic.ts`. */
export function inPod(pod: LabPod, cores: Cores, ...args: string[]): ChildProcess {
  return startIn(pod, cores, [process.execPath, TRAFFIC, ...args]);
}

/** What a program wrote until it said that it is ready, or ended. */
export function output(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    let problem = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      problem += chunk.toString();
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('ready\n')) resolve(text);
    });
    child.on('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${child.spawnargs.slice(4).join(' ')} exited ${code} ${problem}`)),
    );
  });
}

/** Connections that come and go. @param parallel at a time @param most how many, where the time is not the end */
export async function tunnels(
  { pair, client, cores }: Contestant,
  parallel: number,
  seconds: number,
  most?: number,
): Promise<Outcome> {
  const numbers = [pair.ports.echo, parallel, seconds, ...(most === undefined ? [] : [most])];
  return JSON.parse(await output(inPod(client, cores, 'tunnels', pair.host, ...numbers.map(String))));
}

/** How long a stream goes on that nobody ends. */
const MAX_BULK_SEC = 60;

export type Direction = 'to the server' | 'to the client';

/** iperf3: as many bytes as arrive. @param seconds it knows whole ones */
export async function bulk(
  { pair, client, cores }: Contestant,
  direction: Direction,
  streams: number,
  seconds: number,
): Promise<Outcome> {
  const numbers = ['-p', pair.ports.bulk, '-P', streams, '-t', Math.ceil(seconds)].map(String);
  const way = direction === 'to the client' ? ['--reverse'] : [];
  const report = JSON.parse(
    await output(startIn(client, cores, ['iperf3', '--json', '-c', pair.host, ...numbers, ...way])),
  );
  if (report.error !== undefined) throw new Error(`iperf3 failed: ${report.error}`);
  const { bytes, bits_per_second: bitsPerSecond } = report.end.sum_received;
  return { count: bytes / 1e9, gigabitsPerSecond: bitsPerSecond / 1e9 };
}

/** A stream to the server until it is ended. @returns ends it, and says how many Gbit/s it sent meanwhile */
export function bulkUntil({ pair, client, cores }: Contestant): () => Promise<number> {
  const numbers = ['-p', pair.ports.bulk, '-t', MAX_BULK_SEC].map(String);
  const child = startIn(client, cores, ['iperf3', '--json', '-c', pair.host, ...numbers]);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  return async () => {
    if (child.exitCode !== null) throw new Error(`the stream ended by itself: ${text.slice(-500)}`);
    child.kill('SIGTERM');
    await closed;
    // One second each; the summary that it makes at the end is left out when it is told to end.
    const sums: readonly { sum: { bytes: number; seconds: number } }[] = JSON.parse(text).intervals;
    const total = (of: 'bytes' | 'seconds') => sums.reduce((all, { sum }) => all + sum[of], 0);
    return (total('bytes') * 8) / 1e9 / total('seconds');
  };
}

/** wrk, because a generator in JavaScript would be the slowest part of the chain. */
export async function wrk({ pair, client, cores }: Contestant, connections: number, seconds: number): Promise<Outcome> {
  const threads = Math.min(connections, cores.load.split(',').length);
  const url = `http://${pair.host}:${pair.ports.http}/`;
  const args = ['wrk', `-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--latency', url];
  const text = await output(startIn(client, cores, args));
  const { requests, perSecond, p50Us } = readWrkReport(text);
  return { count: requests, perSecond, p50Us };
}

/** Requests of 1 KB, due at fixed times. */
export async function paced(
  { pair, client, cores }: Contestant,
  perSecond: number,
  connections: number,
  seconds: number,
): Promise<Latencies> {
  const url = `http://${pair.host}:${pair.ports.http}/`;
  const numbers = [perSecond, seconds, connections].map(String);
  return JSON.parse(await output(startIn(client, cores, [process.execPath, PACED, url, ...numbers])));
}

/** Opens connections that say nothing. @returns closes them */
export async function holdTunnels({ pair, client, cores }: Contestant, count: number): Promise<() => Promise<void>> {
  const holder = inPod(client, cores, 'idle', pair.host, String(pair.ports.echo), String(count));
  await output(holder);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return async () => {
    const exited = new Promise((resolve) => holder.once('exit', resolve));
    holder.stdin?.end();
    await exited;
  };
}
