/**
 * A tunnel pair against HAProxy: TCP -> client proxy == one TLS 1.3 P-256 mTLS connection == server proxy -> TCP echo.
 * ambit carries each TCP connection as an HTTP/2 CONNECT stream; HAProxy as a TLS connection of its own. Closed-loop
 * requests of 1 KB. Each proxy is one process; runs of both are interleaved; CPU is user + system of the processes.
 *
 * Run: NODE bench/micro/tunnel-pair.ts [rounds] [seconds] [case]      (haproxy and openssl must be installed)
 *
 * Medians of 3 rounds of 2 s on four shared cores, Node 24.21, HAProxy 2.6; CPU is both proxies together:
 *                            ambit                         HAProxy
 *   1 KB,  1 connection      4.6k/s, 145 us per request    5.5k/s, 112 us
 *   1 KB, 16 connections     37.3k/s, 32.2 us              51.2k/s, 37.1 us
 *   1 KB, 64 connections     61.9k/s, 24.2 us              51.6k/s, 37.4 us
 *   new tunnels              7.3k/s, 232 us per tunnel     1.3k/s, 1363 us
 *   bulk echo (2 x 1 GB)     3850 ms CPU                   5110 ms CPU
 *   idle tunnel              6.0 + 5.5 KB                  38.8 + 24.8 KB
 * The CPU is nearly all kernel: in a profile this project's own JavaScript is below 5 % of the busy time. A lone
 * request pays for the turns of the event loop that node:tls takes to complete a write.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import { relay } from '../../src/http2/relay.ts';
import { INTAKE_BYTES, SocketIntake } from '../../src/http2/socket-intake.ts';
import { StreamHolder } from '../../src/http2/stream-holder.ts';
import { socketTransport } from '../../src/http2/transport.ts';

const MESSAGE_BYTES = 1024;
const PORTS = { echo: 21700, clientProxy: 21701, serverProxy: 21702, haClient: 21703, haServer: 21704 };
const SELF = fileURLToPath(import.meta.url);
const BAGGAGE = 'k8s.cluster.name=c,k8s.namespace.name=n,k8s.deployment.name=d,service.name=s,service.version=v1';

function credentials(dir: string): tls.SecureContextOptions {
  const pem = (name: string) => readFileSync(path.join(dir, name));
  return { ca: pem('ca.pem'), cert: pem('leaf.pem'), key: pem('leaf.key'), minVersion: 'TLSv1.3' };
}

function ready(): void {
  process.stdout.write('ready\n');
}

function runEcho(): void {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      if (!socket.write(chunk)) {
        socket.pause();
        socket.once('drain', () => socket.resume());
      }
    });
  });
  server.listen(PORTS.echo, '127.0.0.1', 4096, ready);
}

function runServerProxy(dir: string): void {
  const pool = new BlockPool();
  const shared = Buffer.allocUnsafeSlow(INTAKE_BYTES);
  const options = { ...credentials(dir), requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
  const server = tls.createServer(options, (secured) => {
    new Http2Connection(
      socketTransport(secured),
      'server',
      { clock: systemClock, pool, settings: { maxConcurrentStreams: 5000 } },
      {
        onStream(stream) {
          const intake = new SocketIntake(shared);
          const holder = new StreamHolder(() => socket.destroy());
          const socket = net.connect({
            host: '127.0.0.1',
            port: PORTS.echo,
            allowHalfOpen: true,
            onread: intake.onread,
          });
          const refuse = () => stream.reset();
          socket.once('error', refuse);
          socket.once('connect', () => {
            socket.removeListener('error', refuse);
            stream.respond([
              [':status', '200'],
              ['baggage', BAGGAGE],
            ]);
            const counters = { bytesFromSocket: 0, bytesToSocket: 0 };
            relay(socket, stream, counters, () => undefined, { socketSide: 'destination', intake });
            holder.release(stream);
          });
          return holder;
        },
        onClosed: () => undefined,
      },
    );
  });
  server.listen(PORTS.serverProxy, '127.0.0.1', ready);
}

function runClientProxy(dir: string): void {
  const pool = new BlockPool();
  let connection: Http2Connection | undefined;
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    const request: [string, string][] = [
      [':method', 'CONNECT'],
      [':authority', `127.0.0.1:${PORTS.echo}`],
      ['baggage', BAGGAGE],
      ['forwarded', `for="127.0.0.1:${socket.remotePort}"`],
      ['traceparent', `00-${'5'.repeat(32)}-${'7'.repeat(16)}-00`],
    ];
    const opened = connection?.request(request, {
      onHeaders(stream, headers) {
        if (headers[0]?.[1] !== '200') {
          socket.destroy();
          return;
        }
        const counters = { bytesFromSocket: 0, bytesToSocket: 0 };
        relay(socket, stream, counters, () => undefined, { socketSide: 'client' });
        socket.resume();
      },
      onData: () => undefined,
      onEnd: () => undefined,
      onWritable: () => undefined,
      onClosed: () => socket.destroy(),
    });
    if (opened?.ok !== true) socket.destroy();
  });
  const secured = tls.connect(
    {
      ...credentials(dir),
      host: '127.0.0.1',
      port: PORTS.serverProxy,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    },
    () => {
      connection = new Http2Connection(
        socketTransport(secured),
        'client',
        { clock: systemClock, pool },
        { onClosed: (error) => console.error('client connection closed', error?.message) },
      );
      server.listen(PORTS.clientProxy, '127.0.0.1', 4096, ready);
    },
  );
}

function makeCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=bench root');
  openssl('req', ...curve, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=bench leaf');
  writeFileSync(path.join(dir, 'ext'), 'subjectAltName=URI:spiffe://cluster.local/ns/n/sa/s\n');
  const issue = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext'];
  openssl('x509', '-req', '-in', 'leaf.csr', ...issue, '-out', 'leaf.pem', '-days', '2');
  const join = readFileSync(path.join(dir, 'leaf.pem'), 'utf8') + readFileSync(path.join(dir, 'leaf.key'), 'utf8');
  writeFileSync(path.join(dir, 'both.pem'), join);
}

function writeHaproxyConfigs(dir: string): void {
  const common =
    'global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n';
  const tlsArgs = 'ssl ca-file ca.pem crt both.pem verify required';
  writeFileSync(
    path.join(dir, 'ha-client.cfg'),
    `${common}listen c\n  bind 127.0.0.1:${PORTS.haClient}\n  server s 127.0.0.1:${PORTS.haServer} ${tlsArgs} force-tlsv13\n`,
  );
  writeFileSync(
    path.join(dir, 'ha-server.cfg'),
    `${common}listen s\n  bind 127.0.0.1:${PORTS.haServer} ${tlsArgs} ssl-min-ver TLSv1.3\n  server e 127.0.0.1:${PORTS.echo}\n`,
  );
}

/** CPU of a process in microseconds, all its threads. */
function cpuMicros(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1000;
}

interface Sample {
  perSecond: number;
  clientMicros: number;
  serverMicros: number;
  p50Micros: number;
}

/** Runs `work` for `seconds` and relates what it counted to the CPU of both proxies. */
async function sample(
  pids: [number, number],
  seconds: number,
  work: (until: number, times: number[]) => Promise<number>,
): Promise<Sample> {
  await work(performance.now() + 300, []);
  const before = pids.map(cpuMicros);
  const started = performance.now();
  const times: number[] = [];
  const count = await work(started + seconds * 1000, times);
  const elapsed = (performance.now() - started) / 1000;
  const after = pids.map(cpuMicros);
  times.sort((a, b) => a - b);
  return {
    perSecond: count / elapsed,
    clientMicros: (after[0]! - before[0]!) / count,
    serverMicros: (after[1]! - before[1]!) / count,
    p50Micros: (times[times.length >> 1] ?? 0) * 1000,
  };
}

function requestLoop(port: number, until: number, times: number[]): Promise<number> {
  const message = Buffer.alloc(MESSAGE_BYTES, 'x');
  const buffer = Buffer.allocUnsafe(65536);
  return new Promise((resolve, reject) => {
    let received = 0;
    let count = 0;
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(message);
    };
    const onBytes = (bytes: number) => {
      received += bytes;
      if (received < MESSAGE_BYTES) return true;
      received = 0;
      count += 1;
      const now = performance.now();
      times.push(now - sentAt);
      if (now < until) send();
      else socket.end();
      return true;
    };
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback: onBytes } }, send);
    socket.on('error', reject);
    socket.on('close', () => resolve(count));
  });
}

async function tunnelLoop(port: number, until: number, times: number[]): Promise<number> {
  let count = 0;
  while (performance.now() < until) {
    const startedAt = performance.now();
    await new Promise<void>((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port, noDelay: true }, () => socket.write('x'));
      socket.on('data', () => socket.end());
      socket.on('error', reject);
      socket.on('close', () => resolve());
    });
    times.push(performance.now() - startedAt);
    count += 1;
  }
  return count;
}

async function bulkLoop(port: number, until: number): Promise<number> {
  const chunk = Buffer.alloc(65536, 'b');
  const buffer = Buffer.allocUnsafe(262144);
  let received = 0;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const onBytes = (bytes: number) => {
      received += bytes;
      if (performance.now() >= until && received >= sent) socket.destroy();
      return true;
    };
    const pump = () => {
      while (performance.now() < until) {
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    const socket = net.connect({ host: '127.0.0.1', port, onread: { buffer, callback: onBytes } }, pump);
    socket.on('drain', pump);
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
  return received / 1e9;
}

/** Resident bytes of a process. */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Opens tunnels that carried one byte and then idle, and relates what both proxies grew by to their number. */
async function idleTunnels(name: string, port: number, pids: [number, number], tunnels: number): Promise<void> {
  const before = pids.map(residentBytes);
  const sockets: net.Socket[] = [];
  for (let opened = 0; opened < tunnels; opened += 50) {
    await Promise.all(
      Array.from({ length: 50 }, () => {
        const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write('x'));
        sockets.push(socket);
        return new Promise((resolve) => socket.once('data', resolve));
      }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const grown = pids.map((pid, index) => (residentBytes(pid) - before[index]!) / tunnels / 1024);
  console.log(
    `${name.padEnd(26)} KB per idle tunnel (${tunnels}): client ${grown[0]!.toFixed(1)} server ${grown[1]!.toFixed(1)}`,
  );
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 500));
}

function parallel(connections: number, one: (until: number, times: number[]) => Promise<number>) {
  return async (until: number, times: number[]) => {
    const counts = await Promise.all(Array.from({ length: connections }, () => one(until, times)));
    return counts.reduce((sum, count) => sum + count, 0);
  };
}

function start(
  children: ChildProcess[],
  command: string,
  args: string[],
  cwd: string,
  waitReady: boolean,
): Promise<ChildProcess> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  if (!waitReady) return new Promise((resolve) => setTimeout(() => resolve(child), 500));
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}`)));
  });
}

function print(name: string, results: Sample[]): void {
  const best = (pick: (one: Sample) => number) => results.map(pick).sort((a, b) => a - b)[results.length >> 1] ?? 0;
  const client = best((one) => one.clientMicros);
  const server = best((one) => one.serverMicros);
  console.log(
    `${name.padEnd(26)} ${best((one) => one.perSecond)
      .toFixed(1)
      .padStart(9)}/s  p50 ${best((one) => one.p50Micros)
      .toFixed(0)
      .padStart(6)} us  ` +
      `CPU us per unit: client ${client.toFixed(1)} server ${server.toFixed(1)} both ${(client + server).toFixed(1)}`,
  );
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 3);
  const seconds = Number(process.argv[3] ?? 2);
  const only = process.argv[4] ?? '';
  const profile = process.argv[5] === 'profile' ? ['--cpu-prof', '--cpu-prof-dir=/tmp/ambit-prof'] : [];
  const dir = mkdtempSync(path.join(tmpdir(), 'tunnel-pair-'));
  const children: ChildProcess[] = [];
  try {
    makeCertificates(dir);
    writeHaproxyConfigs(dir);
    const node = (role: string) =>
      start(children, process.execPath, [...profile, SELF, `role=${role}`, dir], dir, true);
    await node('echo');
    const serverProxy = await node('server');
    const clientProxy = await node('client');
    const haServer = await start(children, 'haproxy', ['-db', '-f', 'ha-server.cfg'], dir, false);
    const haClient = await start(children, 'haproxy', ['-db', '-f', 'ha-client.cfg'], dir, false);
    const pairs = [
      { name: 'ambit', port: PORTS.clientProxy, pids: [clientProxy.pid!, serverProxy.pid!] as [number, number] },
      { name: 'haproxy', port: PORTS.haClient, pids: [haClient.pid!, haServer.pid!] as [number, number] },
    ];
    const cases = [
      ...[1, 16, 64].map((connections) => ({
        name: `1 KB, ${connections} conns`,
        work: (port: number) => parallel(connections, (until, times) => requestLoop(port, until, times)),
      })),
      {
        name: 'new tunnels, 16 parallel',
        work: (port: number) => parallel(16, (until, times) => tunnelLoop(port, until, times)),
      },
      { name: 'bulk echo, GB', work: (port: number) => parallel(1, (until) => bulkLoop(port, until)) },
    ].filter((one) => one.name.includes(only));
    // First, while the heaps are small: what is free after a load would hide the growth.
    if ('idle'.includes(only))
      for (const pair of pairs) await idleTunnels(`${pair.name}: idle`, pair.port, pair.pids, 1500);
    for (const one of cases) {
      const results = pairs.map((): Sample[] => []);
      for (let round = 0; round < rounds; round += 1) {
        for (const [index, pair] of pairs.entries())
          results[index]?.push(await sample(pair.pids, seconds, one.work(pair.port)));
      }
      for (const [index, pair] of pairs.entries()) print(`${pair.name}: ${one.name}`, results[index] ?? []);
    }
  } finally {
    for (const child of children) child.kill(profile.length > 0 ? 'SIGINT' : 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

process.on('SIGINT', () => process.exit(0));
const role = process.argv[2] ?? '';
const directory = process.argv[3] ?? '';
if (role === 'role=echo') runEcho();
else if (role === 'role=server') runServerProxy(directory);
else if (role === 'role=client') runClientProxy(directory);
else await main();
