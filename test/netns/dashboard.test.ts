/** `ambit dashboard` in a real browser, on real traffic of a mesh of `ambit up`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const AMBIT = fileURLToPath(new URL('../../bin/ambit', import.meta.url));
const CHROMIUM = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];

const SERVER = `require('http').createServer((req, res) => {
  res.writeHead(req.url === '/bad' ? 503 : 200);
  res.end('hello');
}).listen(8080, '::');`;

/** Asks 20 times in a second, a quarter of it for what fails, until it is ended. */
const LOAD = `let n = 0;
setInterval(() => fetch('http://shop' + (n++ % 4 === 0 ? '/bad' : '/')).then((r) => r.text()).catch(() => 0), 50);`;

function pod(name: string, node: string, script: string): object {
  const readinessProbe = name === 'shop' ? { tcpSocket: { port: 8080 }, periodSeconds: 1 } : undefined;
  const command = ['node', '-e', script];
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'seen', labels: { app: name, version: 'v1' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, serviceAccountName: name, containers } };
}

describe('the dashboard', { timeout: 100_000 }, () => {
  const mesh = new LocalMesh();
  let command: ChildProcess | undefined;
  let browser: Browser | undefined;
  let address = '';
  let page: Page;

  before(async () => {
    const labels = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' };
    const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    mesh.write(
      'mesh.yaml',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'seen', labels } },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'gate', namespace: 'seen' },
        spec: { gatewayClassName: 'istio-waypoint', listeners },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'shop', namespace: 'seen' },
        spec: { selector: { app: 'shop' }, ports },
      },
      pod('shop', 'node2', SERVER),
      pod('client', 'node1', LOAD),
    );
    await mesh.up(3, '--nodes', '2');
    const environment = { ...process.env, XDG_RUNTIME_DIR: mesh.run.path.replace(/\/ambit\/test$/, '') };
    command = spawn(AMBIT, ['dashboard', '--name', 'test'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    command.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await eventually('the address', () => {
      address = /http:\S+/.exec(output)?.[0] ?? '';
      return address !== '';
    });
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: CHROMIUM });
    page = await browser.newPage({ viewport: { width: 1400, height: 800 } });
  });
  after(async () => {
    await browser?.close();
    command?.kill('SIGTERM');
    await mesh[Symbol.asyncDispose]();
  });

  it('draws who calls whom, with the rate, the success and the lock of what was really sent', async () => {
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(error.message));
    await page.goto(address);
    await page.waitForSelector('[data-node="seen/shop"]');
    const numbers = () => page.locator('[data-node="seen/shop"] .numbers').textContent();
    await eventually(
      'the rate and the success of the traffic',
      async () => {
        const [, rate, success] = /^([\d.]+)\/s · ([\d.]+) %$/.exec((await numbers()) ?? '') ?? [];
        return Math.abs(Number(rate) - 20) < 4 && Math.abs(Number(success) - 75) < 3;
      },
      30_000,
    );
    const link = page.locator('[data-link="seen/client>seen/shop"]');
    assert.match((await link.locator('title').textContent()) ?? '', /mutual TLS$/);
    assert.match((await link.getAttribute('class')) ?? '', /\bbad\b/, 'a quarter fails');
    assert.deepEqual(failures, []);
  });

  it('shows the calls of a workload that is chosen by the keyboard, and its identity', async () => {
    await page.locator('[data-node="seen/shop"]').focus();
    await page.keyboard.press('Enter');
    const panel = page.locator('section[aria-label="workload seen/shop"]');
    await panel.waitFor();
    assert.match((await panel.textContent()) ?? '', /seen\/client/);
  });

  it('fits on a phone', async () => {
    await page.setViewportSize({ width: 380, height: 800 });
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    assert.equal(overflow, 0);
  });

  it('is for one browser: its address works once, and nobody else is let in', async () => {
    assert.equal((await fetch(address, { redirect: 'manual' })).status, 403);
    const api = new URL('/api/mesh', address);
    assert.equal((await fetch(api)).status, 403);
    const cookies = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    assert.equal((await fetch(api, { headers: { cookie: cookies } })).status, 200);
  });
});
