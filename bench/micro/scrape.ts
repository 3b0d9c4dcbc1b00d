/**
 * What a scrape of a waypoint's request metrics takes, and what it costs the traffic of the same process: one byte is echoed
 * every millisecond while pages are read ten times a second by another process. Run: NODE bench/micro/scrape.ts
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { serveHttp } from '../../src/net/http-endpoint.ts';
import { metricsRoutes } from '../../src/telemetry/metrics-routes.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { OUTCOME, requestEdge } from './request-edge.ts';

/** The last one is as many as a waypoint keeps. */
const LABEL_SETS = (process.env['LABEL_SETS'] ?? '150,2000').split(',').map(Number);
const RUN_MS = Number(process.env['RUN_MS'] ?? 5000);
const LONGEST_MS = 60_000;

interface Ports {
  readonly metrics: number;
  readonly echo: number;
}

async function serve(labelSets: number): Promise<Ports> {
  const metrics = new RequestMetrics();
  for (let n = 0; n < labelSets; n++)
    for (const durationMs of [3, 20, 170])
      metrics.count(`edge-${n}`, () => requestEdge(n), { ...OUTCOME, durationMs }, 0);
  const endpoint = await serveHttp(
    ['127.0.0.1'],
    0,
    metricsRoutes(() => metrics.families()),
  );
  const echo = createServer({ noDelay: true }, (socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  return { metrics: endpoint.port, echo: (echo.address() as AddressInfo).port };
}

/** Round trips of a byte, sent every millisecond whether or not the last one came back. */
async function roundTrips(port: number): Promise<number[]> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const sent: number[] = [];
  const taken: number[] = [];
  socket.on('data', (bytes: Buffer) => {
    const now = performance.now();
    for (const sentMs of sent.splice(0, bytes.length)) taken.push(now - sentMs);
  });
  const end = performance.now() + RUN_MS;
  while (performance.now() < end) {
    sent.push(performance.now());
    socket.write('x');
    await delay(1);
  }
  socket.destroy();
  return taken;
}

interface Page {
  readonly tookMs: number;
  readonly series: number;
  readonly bytes: number;
}

function scrape(port: number, packed: boolean): Promise<Page> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const headers = packed ? { 'accept-encoding': 'gzip' } : {};
    get({ host: '127.0.0.1', port, path: '/metrics', headers, agent: false, timeout: LONGEST_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const tookMs = performance.now() - start;
        const body = Buffer.concat(chunks);
        const text = packed ? '' : body.toString('utf8');
        resolve({ tookMs, series: (text.match(/^[^#\n]/gm) ?? []).length, bytes: body.length });
      });
    }).on('error', reject);
  });
}

function quantile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
}

function report(what: string, values: readonly number[]): void {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(values, share));
  console.log(`  ${what.padEnd(34)} p50 ${p50} ms   p99 ${p99} ms   longest ${max} ms   (${values.length})`);
}

/** Another process that does what its words say, and tells once what came of it. */
async function child<T>(...words: readonly string[]): Promise<{ readonly process: ChildProcess; readonly said: T }> {
  const execArgv = ['--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'];
  const started = fork(import.meta.filename, words, { execArgv });
  const [said] = (await once(started, 'message')) as [T];
  return { process: started, said };
}

/** Ten times a second, or as often as pages come. */
async function scrapeFor(port: number, packed: boolean): Promise<number[]> {
  const pages: number[] = [];
  const end = performance.now() + RUN_MS;
  while (performance.now() < end) {
    const { tookMs } = await scrape(port, packed);
    pages.push(tookMs);
    await delay(Math.max(0, 100 - tookMs));
  }
  return pages;
}

async function measure(labelSets: number): Promise<void> {
  const { process: server, said: ports } = await child<Ports>('serve', String(labelSets));
  const { series, bytes } = await scrape(ports.metrics, false);
  console.log(`${labelSets} label sets: ${series} series, ${(bytes / 1024 / 1024).toFixed(1)} MiB`);
  for (let n = 0; n < 30; n++) await scrape(ports.metrics, n % 2 === 0);
  report('echo, nobody scrapes', await roundTrips(ports.echo));
  for (const coding of ['plain', 'gzip']) {
    const scraping = child<number[]>('scrape', String(ports.metrics), coding);
    report(`echo, ${coding} scrapes`, await roundTrips(ports.echo));
    report(`${coding} scrape`, (await scraping).said);
  }
  server.kill();
  await once(server, 'exit');
}

const [work, about = '', coding] = process.argv.slice(2);
if (work === 'serve') process.send?.(await serve(Number(about)));
else if (work === 'scrape')
  process.send?.(await scrapeFor(Number(about), coding === 'gzip'), () => process.disconnect());
else for (const labelSets of LABEL_SETS) await measure(labelSets);
