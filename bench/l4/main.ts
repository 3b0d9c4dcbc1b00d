/**
 * L4 speed and memory of an ambit tunnel pair against HAProxy as a mutual TLS TCP pair, in the same namespaces, one data
 * thread each, interleaved. Load and applications share one core, the proxies another: what a proxy costs is what it
 * gets done. Requests come from wrk and are answered by a third HAProxy. Prints a table and writes bench/results/l4.json. Root is needed for the namespaces.
 *
 * Run: make bench-l4        BENCH_ROUNDS (3) and BENCH_SECONDS (2) change how long each line is measured.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { enterPrivateNetns, type LabPod, NetnsLab } from '../../test/helpers/netns.ts';
import { cpuUs, LOAD_CORE, memoryBytes, onCore } from './process-cost.ts';
import { type ProxyPair, startAmbitPair, startHaproxyPair } from './proxy-pairs.ts';

enterPrivateNetns(import.meta.url);

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
const IDLE_TUNNELS = 2000;
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

async function idleCost(pair: ProxyPair, client: LabPod): Promise<{ clientBytes: number; serverBytes: number }> {
  const before = [pair.clientPid, pair.serverPid].map((pid) => memoryBytes(pid).anonymous);
  const holder = inPod(client, 'idle', pair.host, String(pair.echoPort), String(IDLE_TUNNELS));
  await output(holder);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const after = [pair.clientPid, pair.serverPid].map((pid) => memoryBytes(pid).anonymous);
  const exited = new Promise((resolve) => holder.once('exit', resolve));
  holder.stdin?.end();
  await exited;
  const each = (index: number) => ((after[index] ?? 0) - (before[index] ?? 0)) / IDLE_TUNNELS;
  return { clientBytes: each(0), serverBytes: each(1) };
}

/** Room for tens of thousands of short connections: without it the line of new tunnels measures the port search. */
function widenPorts(pod: LabPod): void {
  const settings =
    'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse; echo 10000 65000 > /proc/sys/net/ipv4/ip_local_port_range';
  pod.exec('sh', '-c', settings);
}

async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  using lab = new NetnsLab();
  const client = lab.addPod('client');
  const server = lab.addPod('server');
  const servers = [inPod(server, 'echo', String(ECHO_PORT)), inPod(server, 'sink', String(SINK_PORT))];
  await Promise.all(servers.map(output));
  // HAProxy has a pair of pods of its own on the same bridge: in enrolled pods its connections would be captured.
  const options = { folder, client, server, echoPort: ECHO_PORT, sinkPort: SINK_PORT, httpPort: HTTP_PORT };
  const plainClient = lab.addPod('plain-client');
  const plainServer = lab.addPod('plain-server');
  const plainServers = [inPod(plainServer, 'echo', String(ECHO_PORT)), inPod(plainServer, 'sink', String(SINK_PORT))];
  await Promise.all(plainServers.map(output));
  const responders = [server, plainServer].map((pod) => startResponder(pod, folder));
  for (const pod of [client, server, plainClient, plainServer]) widenPorts(pod);
  const haproxy = await startHaproxyPair({ ...options, client: plainClient, server: plainServer });
  const ambit = await startAmbitPair(options);
  const contestants = [
    { pair: ambit, client },
    { pair: haproxy, client: plainClient },
  ] as const;
  try {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const idleProcess = contestants.map(({ pair }) => ({
      client: memoryBytes(pair.clientPid),
      server: memoryBytes(pair.serverPid),
    }));
    // Before any load: memory that a burst left behind would hide what idle tunnels cost.
    const idle = [];
    for (const { pair, client: from } of contestants) idle.push({ name: pair.name, ...(await idleCost(pair, from)) });
    const lines = [];
    for (const line of LINES) {
      const samples: Sample[][] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        for (const [index, { pair, client: from }] of contestants.entries()) {
          samples[index]?.push(await measure(line, pair, from));
        }
      }
      const [ours, theirs] = samples.map((list) => ({
        rate: median(list.map(({ rate }) => rate)),
        cpuUsPerUnit: median(list.map(({ cpuUsPerUnit }) => cpuUsPerUnit)),
        p50Us: median(list.map(({ p50Us }) => p50Us)),
        samples: list,
      }));
      lines.push({ ...line, ambit: ours, haproxy: theirs });
      if (ours !== undefined && theirs !== undefined) printLine(line, ours, theirs);
    }
    printMemory(idle, idleProcess);
    writeResults({ lines, idle, idleProcess });
  } finally {
    await ambit.stop();
    await haproxy.stop();
    for (const child of [...servers, ...plainServers, ...responders]) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function printLine(line: Line, ours: Omit<Sample, 'samples'>, theirs: Omit<Sample, 'samples'>): void {
  const cpuUnit = line.command === 'bulk' ? 'ms/GB' : 'µs';
  const scale = line.command === 'bulk' ? 1000 : 1;
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  const cell = (sample: Sample) =>
    `${number(sample.rate)} ${line.unit}, ${number(sample.cpuUsPerUnit / scale)} ${cpuUnit}` +
    (Number.isNaN(sample.p50Us) ? '' : `, p50 ${number(sample.p50Us)} µs`);
  const ratios = [
    `rate ${(ours.rate / theirs.rate).toFixed(2)}`,
    `cpu ${(ours.cpuUsPerUnit / theirs.cpuUsPerUnit).toFixed(2)}`,
    ...(Number.isNaN(ours.p50Us) ? [] : [`p50 ${(ours.p50Us / theirs.p50Us).toFixed(2)}`]),
  ];
  console.log(`${line.name.padEnd(32)}${cell(ours).padEnd(46)}${cell(theirs).padEnd(46)}${ratios.join('  ')}`);
}

function printMemory(
  idle: readonly { name: string; clientBytes: number; serverBytes: number }[],
  processes: readonly { client: { anonymous: number; rss: number }; server: { anonymous: number; rss: number } }[],
): void {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
  const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;
  for (const [index, { name, clientBytes, serverBytes }] of idle.entries()) {
    const { client, server } = processes[index] ?? {};
    console.log(
      `${name}: idle tunnel ${kib(clientBytes)} + ${kib(serverBytes)}; idle process anonymous ` +
        `${mib(client?.anonymous ?? 0)} + ${mib(server?.anonymous ?? 0)}, RSS ${mib(client?.rss ?? 0)} + ${mib(server?.rss ?? 0)}`,
    );
  }
}

function writeResults(results: object): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const file = join(import.meta.dirname, '../results/l4.json');
  const document = { date: new Date().toISOString(), commit, machine, rounds: ROUNDS, seconds: SECONDS, ...results };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
}

await run();
