/**
 * The dashboard in headless Chromium with 200 services: until something is painted, until the graph is, and how many frames
 * a second there are while the traffic runs and numbers change. Pages and server are the real ones, the mesh is made up.
 *
 * Run: node bench/dashboard/main.ts [SERVICES], after make build.
 */
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { serveDashboard } from '../../src/dashboard/dashboard-server.ts';
import { LoopbackGate } from '../../src/dashboard/loopback-gate.ts';
import { seededRandom } from '../../test/helpers/seeded-random.ts';
import { median } from '../quantiles.ts';
import { writeResults } from '../results.ts';
import { syntheticMesh } from './synthetic-mesh.ts';

const FRAMES_OVER_MS = 5000;
const RUNS = 5;
const CHROMIUM = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

interface Run {
  readonly firstPaintMs: number;
  readonly graphMs: number;
  readonly framesPerSec: number;
  readonly longestFrameMs: number;
}

/** In the page: when the first node is painted. */
const WATCH = `new Promise((resolve) => {
  const look = () => document.querySelector('[data-node]')
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  look();
})`;
const FIRST_PAINT = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1`;
const FRAMES = `new Promise((resolve) => {
  const times = [];
  const step = (time) => {
    times.push(time);
    const passed = time - times[0];
    if (passed < ${FRAMES_OVER_MS}) return requestAnimationFrame(step);
    const gaps = times.slice(1).map((at, index) => at - times[index]);
    resolve({ framesPerSec: (gaps.length / passed) * 1000, longestFrameMs: Math.max(...gaps) });
  };
  requestAnimationFrame(step);
})`;

async function runOnce(browser: Browser, services: number): Promise<Run> {
  const mesh = syntheticMesh(services, seededRandom(1));
  const gate = new LoopbackGate();
  const api = new Map([['/api/mesh', () => mesh.answer()]]);
  const pages = join(import.meta.dirname, '../../dist/dashboard/pages');
  const server = await serveDashboard({ host: '127.0.0.1', port: 0, pages }, { gate, api, streams: new Map() });
  const context = await browser.newContext({ viewport: { width: 1400, height: 860 }, colorScheme: 'light' });
  try {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/?token=${gate.token}`, { waitUntil: 'commit' });
    const graphMs = (await page.evaluate(WATCH)) as number;
    const firstPaintMs = (await page.evaluate(FIRST_PAINT)) as number;
    const frames = (await page.evaluate(FRAMES)) as Pick<Run, 'framesPerSec' | 'longestFrameMs'>;
    return { firstPaintMs, graphMs, ...frames };
  } finally {
    await context.close();
    await server.close();
  }
}

const services = Number(process.argv[2] ?? 200);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: CHROMIUM });
try {
  const runs: Run[] = [];
  for (let run = 0; run < RUNS; run++) {
    runs.push(await runOnce(browser, services));
    console.log(runs.at(-1));
  }
  const middle = (of: (run: Run) => number) => Math.round(median(runs.map(of)) * 10) / 10;
  writeResults('dashboard', {
    services,
    calls: syntheticMesh(services, seededRandom(1)).edges,
    browser: browser.version(),
    runs: RUNS,
    firstPaintMs: middle((run) => run.firstPaintMs),
    graphMs: middle((run) => run.graphMs),
    framesPerSec: middle((run) => run.framesPerSec),
    longestFrameMs: middle((run) => run.longestFrameMs),
  });
} finally {
  await browser.close();
}
