/**
 * L4 speed and memory of an ambit tunnel pair against HAProxy as a mutual TLS TCP pair, in the same namespaces, one data
 * thread each, interleaved. Load and applications share one core, the proxies another: what a proxy costs is what it
 * gets done. Requests come from wrk and are answered by a third HAProxy. Prints a table and writes bench/results/l4.json. Root is needed for the namespaces.
 *
 * Run: make bench-l4        BENCH_ROUNDS (3) and BENCH_SECONDS (2) change how long each line is measured.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enterPrivateNetns, type LabPod, NetnsLab } from '../../test/helpers/netns.ts';
import { writeResults } from '../results.ts';
import { cpuUs, LOAD_CORE, memoryBytes, onCore } from './process-cost.ts';
import {
  type PairOptions,
  type ProxyPair,
  startAmbitPair,
  startBareHaproxyPair,
  startHaproxyPair,
} from './proxy-pairs.ts';

enterPrivateNetns(import.meta.url);

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
const IDLE_TUNNELS = 2000;
/** Open while idle tunnels are counted: what the first of them cost once is not theirs. */
const WARM_TUNNELS = 1000;
const ECHO_PORT = 9001;
const SINK_PORT = 9002;
const HTTP_PORT = 9003;
const TRAFFIC = join(import.meta.dirname, 'traffic.ts');

interface Sample {
  readonly rate: number;
  readonly cpuUsPerUnit: number;
  readonly p50Us: number;
}

interface Line {
  readonly name: string;
  readonly unit: string;
  readonly command: string;
  readonly port: 'echoPort' | 'sinkPort' | 'httpPort';
  readonly parallel: number;
}

const LINES: readonly Line[] = [
  { name: '1 KB requests, 1 connection', unit: 'req/s', command: 'wrk', port: 'httpPort', parallel: 1 },
  { name: '1 KB requests, 16 connections', unit: 'req/s', command: 'wrk', port: 'httpPort', parallel: 16 },
  { name: '1 KB requests, 64 connections', unit: 'req/s', command: 'wrk', port: 'httpPort', parallel: 64 },
  { name: 'new tunnels, 16 parallel', unit: 'tunnels/s', command: 'tunnels', port: 'echoPort', parallel: 16 },
  { name: 'bulk, 1 stream', unit: 'Gbit/s', command: 'bulk', port: 'sinkPort', parallel: 1 },
  { name: 'bulk, 8 streams', unit: 'Gbit/s', command: 'bulk', port: 'sinkPort', parallel: 8 },
];

function inPod(pod: LabPod, ...args: string[]): ChildProcess {
  return spawn('taskset', [...onCore(LOAD_CORE), 'nsenter', `--net=${pod.path}`, process.execPath, TRAFFIC, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

function output(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('ready\n')) resolve(text);
    });
    child.on('exit', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${child.spawnargs.at(-5)} exited ${code}`)),
    );
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function measure(line: Line, pair: ProxyPair, client: LabPod): Promise<Sample> {
  const before = cpuUs(pair.clientPid) + cpuUs(pair.serverPid);
  const result = line.command === 'wrk' ? await wrk(line, pair, client) : await generate(line, pair, client);
  const spentUs = cpuUs(pair.clientPid) + cpuUs(pair.serverPid) - before;
  return {
    rate: result.perSecond ?? result.gigabitsPerSecond ?? Number.NaN,
    cpuUsPerUnit: spentUs / result.count,
    p50Us: result.p50Us ?? Number.NaN,
  };
}

interface Outcome {
  readonly count: number;
  readonly perSecond?: number;
  readonly gigabitsPerSecond?: number;
  readonly p50Us?: number;
}

async function generate(line: Line, pair: ProxyPair, client: LabPod): Promise<Outcome> {
  const args = [line.command, pair.host, String(pair[line.port]), String(line.parallel), String(SECONDS)];
  return JSON.parse(await output(inPod(client, ...args)));
}

/** wrk, because a generator in JavaScript would be the slowest part of the chain. */
async function wrk(line: Line, pair: ProxyPair, client: LabPod): Promise<Outcome> {
  const url = `http://${pair.host}:${pair[line.port]}/`;
  const args = ['wrk', '-t1', `-c${line.parallel}`, `-d${SECONDS}s`, '--latency', url];
  const text = await output(
    spawn('taskset', [...onCore(LOAD_CORE), 'nsenter', `--net=${client.path}`, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const [, p50 = '', unit = 'us'] = /50%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const scale = { us: 1, ms: 1000, s: 1e6 }[unit] ?? 1;
  return {
    count: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50Us: Number(p50) * scale,
  };
}

/** Answers every request with 1 KB. */
function startResponder(pod: LabPod, folder: string): ChildProcess {
  const path = join(folder, `${pod.name}-responder.cfg`);
  const body = 'a'.repeat(1024);
  const config = `global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  timeout client 120s\n  timeout server 5s\n  timeout connect 5s\nfrontend f\n  bind :${HTTP_PORT}\n  http-request return status 200 content-type text/plain string "${body}"\n`;
  writeFileSync(path, config);
  return spawn('taskset', [...onCore(LOAD_CORE), 'nsenter', `--net=${pod.path}`, 'haproxy', '-db', '-q', '-f', path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Opens connections that say nothing; they close when the process's input ends. */
async function holdTunnels(pair: ProxyPair, client: LabPod, count: number): Promise<ChildProcess> {
  const holder = inPod(client, 'idle', pair.host, String(pair.echoPort), String(count));
  await output(holder);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return holder;
}

async function idleCost(pair: ProxyPair, client: LabPod): Promise<{ clientBytes: number; serverBytes: number }> {
  const anonymous = () => [pair.clientPid, pair.serverPid].map((pid) => memoryBytes(pid).anonymous);
  const warm = await holdTunnels(pair, client, WARM_TUNNELS);
  const before = anonymous();
  const counted = await holdTunnels(pair, client, IDLE_TUNNELS);
  const after = anonymous();
  for (const holder of [warm, counted]) {
    const exited = new Promise((resolve) => holder.once('exit', resolve));
    holder.stdin?.end();
    await exited;
  }
  const each = (index: number) => ((after[index] ?? 0) - (before[index] ?? 0)) / IDLE_TUNNELS;
  return { clientBytes: each(0), serverBytes: each(1) };
}

/** Room for tens of thousands of short connections: without it the line of new tunnels measures the port search. */
function widenPorts(pod: LabPod): void {
  const settings =
    'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse; echo 10000 65000 > /proc/sys/net/ipv4/ip_local_port_range';
  pod.exec('sh', '-c', settings);
}

interface Contestant {
  readonly pair: ProxyPair;
  readonly client: LabPod;
  readonly helpers: readonly ChildProcess[];
}

/** A pair of pods with the applications, and the proxies between them. */
async function enter(
  name: string,
  lab: NetnsLab,
  folder: string,
  start: (options: PairOptions) => Promise<ProxyPair>,
): Promise<Contestant> {
  const client = lab.addPod(`${name}-client`);
  const server = lab.addPod(`${name}-server`);
  for (const pod of [client, server]) widenPorts(pod);
  const servers = [inPod(server, 'echo', String(ECHO_PORT)), inPod(server, 'sink', String(SINK_PORT))];
  await Promise.all(servers.map(output));
  const helpers = [...servers, startResponder(server, folder)];
  const ports = { echoPort: ECHO_PORT, sinkPort: SINK_PORT, httpPort: HTTP_PORT };
  return { pair: await start({ folder, client, server, ...ports }), client, helpers };
}

interface Median extends Sample {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** Rounds of one line over all contestants, interleaved. */
async function measureLine(line: Line, contestants: readonly Contestant[]): Promise<Median[]> {
  const samples = contestants.map((): Sample[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { pair, client }] of contestants.entries()) {
      samples[index]?.push(await measure(line, pair, client));
    }
  }
  return contestants.map(({ pair }, index) => {
    const list = samples[index] ?? [];
    return {
      name: pair.name,
      rate: median(list.map(({ rate }) => rate)),
      cpuUsPerUnit: median(list.map(({ cpuUsPerUnit }) => cpuUsPerUnit)),
      p50Us: median(list.map(({ p50Us }) => p50Us)),
      samples: list,
    };
  });
}

async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  using lab = new NetnsLab();
  const contestants = [
    await enter('ambit', lab, folder, startAmbitPair),
    await enter('haproxy', lab, folder, startHaproxyPair),
    await enter('bare', lab, folder, startBareHaproxyPair),
  ];
  try {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const memory = [];
    // Before any load: memory that a burst left behind would hide what idle tunnels cost.
    for (const { pair, client } of contestants) {
      const idleProcess = [pair.clientPid, pair.serverPid].map(memoryBytes);
      memory.push({ name: pair.name, idleProcess, idleTunnel: await idleCost(pair, client) });
    }
    const lines = [];
    for (const line of LINES) {
      const results = await measureLine(line, contestants);
      lines.push({ ...line, results });
      printLine(line, results);
    }
    for (const entry of memory) printMemory(entry);
    writeResults('l4', { rounds: ROUNDS, seconds: SECONDS, lines, memory });
  } finally {
    for (const { pair, helpers } of contestants) {
      await pair.stop();
      for (const child of helpers) child.kill('SIGKILL');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

function printLine(line: Line, results: readonly Median[]): void {
  const bulk = line.command === 'bulk';
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  console.log(line.name);
  const [ours] = results;
  for (const result of results) {
    const cpu = bulk ? `${number(result.cpuUsPerUnit / 1000)} ms/GB` : `${number(result.cpuUsPerUnit)} µs`;
    const p50 = Number.isNaN(result.p50Us) ? '' : `, p50 ${number(result.p50Us)} µs`;
    const ratio = (value: (sample: Sample) => number) =>
      ours === undefined ? '' : (value(ours) / value(result)).toFixed(2);
    const ratios = [`rate ${ratio((one) => one.rate)}`, `cpu ${ratio((one) => one.cpuUsPerUnit)}`];
    if (p50 !== '') ratios.push(`p50 ${ratio((one) => one.p50Us)}`);
    const against = result === ours ? '' : `ambit against it: ${ratios.join(', ')}`;
    console.log(
      `  ${result.name.padEnd(14)}${`${number(result.rate)} ${line.unit}, ${cpu}${p50}`.padEnd(44)}${against}`,
    );
  }
}

function printMemory(entry: {
  name: string;
  idleProcess: readonly { anonymous: number; rss: number }[];
  idleTunnel: { clientBytes: number; serverBytes: number };
}): void {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
  const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;
  const { clientBytes, serverBytes } = entry.idleTunnel;
  const sides = (value: (one: { anonymous: number; rss: number }) => number) =>
    entry.idleProcess.map((one) => mib(value(one))).join(' + ');
  console.log(
    `${entry.name}: idle tunnel ${kib(clientBytes)} + ${kib(serverBytes)}; idle process anonymous ` +
      `${sides((one) => one.anonymous)}, RSS ${sides((one) => one.rss)}`,
  );
}

await run();
