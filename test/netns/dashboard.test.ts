/** `ambit dashboard` in a real browser, on real traffic of a mesh of `ambit up`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Asks 20 times in a second, a quarter of it for what fails, until it is ended. */
const CUSTOMER = `let n = 0;
setInterval(() => fetch('http://catalog/products/' + (n++ % 4 === 0 ? 'broken' : 'mug')).then((r) => r.text()).catch(() => 0), 50);`;
/** Asks 30 times in a second; what it may not is every tenth. */
const READER = `let n = 0;
setInterval(() => fetch('http://reviews/reviews/1', { method: n++ % 10 === 0 ? 'POST' : 'GET' }).then((r) => r.text()).catch(() => 0), 33);`;

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

function pod(name: string, namespace: string, script: string): object {
  const containers = [{ name: 'main', image: 'none', command: ['node', '-e', script] }];
  const metadata = { name, namespace, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, containers } };
}

const labelled = (name: string, labels: object) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});
const ambient = { 'istio.io/dataplane-mode': 'ambient' };

/** The shop with a waypoint, whose catalog fails for one product; next to it the canary. */
function writeShop(mesh: LocalMesh): void {
  cpSync(`${EXAMPLES}shop`, mesh.manifests, { recursive: true, filter: (path) => !path.endsWith('.md') });
  cpSync(`${EXAMPLES}canary`, `${mesh.manifests}/canary`, { recursive: true, filter: (path) => !path.endsWith('.md') });
  const canary = `${mesh.manifests}/canary/reviews.yaml`;
  const idle = 'command: [sleep, infinity]';
  const text = readFileSync(canary, 'utf8');
  assert.ok(text.includes(idle), 'the reader of the example does nothing by itself');
  writeFileSync(canary, text.replace(idle, `command: [node, -e, ${JSON.stringify(READER)}]`));
  const http = [
    {
      match: [{ uri: { exact: '/products/broken' } }],
      fault: { abort: { httpStatus: 503, percentage: { value: 100 } } },
    },
    {},
  ].map((route) => ({ ...route, route: [{ destination: { host: 'catalog' } }] }));
  mesh.write(
    'namespaces.yaml',
    labelled('shop', { ...ambient, 'istio.io/use-waypoint': 'waypoint' }),
    labelled('payments', ambient),
    labelled('outside', {}),
  );
  mesh.write(
    'more.yaml',
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'shop' },
      spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'catalog', namespace: 'shop' },
      spec: { hosts: ['catalog'], http },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'wrong', namespace: 'shop' },
      spec: { ports: [{ port: 700_000 }] },
    },
    pod('customer', 'shop', CUSTOMER),
  );
}

describe('the dashboard', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  let command: ChildProcess | undefined;
  let browser: Browser | undefined;
  let address = '';
  let page: Page;

  before(async () => {
    writeShop(mesh);
    await mesh.up(14, '--nodes', '2');
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
    const context = await browser.newContext({ viewport: { width: 1400, height: 800 } });
    page = await context.newPage();
  });
  after(async () => {
    await browser?.close();
    command?.kill('SIGTERM');
    await mesh[Symbol.asyncDispose]();
  });

  /** Goes to a page and waits for something on it. */
  const open = async (hash: string, wanted: string) => {
    await page.goto(new URL(`/${hash}`, address).href);
    const found = page.locator(wanted).first();
    await found.waitFor();
    return found;
  };
  const textOf = async (selector: string) => (await page.locator(selector).first().textContent()) ?? '';
  const failures: string[] = [];

  it('draws who calls whom, with the rate, the errors and the lock of what was really sent', async () => {
    page.on('pageerror', (error) => failures.push(error.message));
    await page.goto(address);
    const link = '[data-link="shop/customer>shop/catalog"]';
    await page.locator(link).waitFor();
    await eventually(
      'the rate and the errors of the traffic',
      async () => {
        const [, rate, errors] = /^([\d.]+)\/s · .* · ([\d.]+) % errors$/.exec(await textOf(`${link} text`)) ?? [];
        return Math.abs(Number(rate) - 20) < 3 && Math.abs(Number(errors) - 25) < 3;
      },
      30_000,
    );
    assert.match(await textOf(`${link} title`), /mutual TLS$/);
    assert.match((await page.locator(link).getAttribute('class')) ?? '', /\bbad\b/, 'a quarter fails');
  });

  it('puts what a waypoint serves into a frame of its own, which leads to its page', async () => {
    await (await open('#/graph?namespace=shop', 'a[aria-label="waypoint shop/waypoint"]')).click();
    await page.locator('h1', { hasText: 'shop/waypoint' }).waitFor();
    assert.match(await textOf('section[aria-label="inbound"]'), /customer/);
  });

  it('can be used by the keyboard: what is chosen, other pages, and back', async () => {
    await open('#/graph', '[data-node="shop/catalog"]');
    await page.locator('[data-node="shop/catalog"]').focus();
    await page.keyboard.press('Enter');
    const panel = page.locator('section[aria-label="workload shop/catalog"]');
    await panel.waitFor();
    assert.match((await panel.textContent()) ?? '', /shop\/customer/);
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    await page.keyboard.press('2');
    await page.locator('h1', { hasText: 'Services' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('payments/led');
    await eventually('the list to be cut', async () => (await page.locator('td a').count()) === 2);
  });

  it('says of a workload which pods, certificates, calls and policies it has', async () => {
    await open('#/workload/canary/reviews-v1', 'section[aria-label="certificates"] .badge');
    assert.match(await textOf('section[aria-label="pods"]'), /1 of 1 healthy/);
    assert.match(await textOf('section[aria-label="certificates"]'), /canary\/default.*Available/);
    assert.match(await textOf('section[aria-label="inbound"]'), /reader/);
    const policies = page.locator('section[aria-label="policies"]', { hasText: 'canary/readers' });
    assert.match((await policies.textContent()) ?? '', /ALLOW.*waypoint.*\d+ allowed/);
  });

  it('compares the versions of a canary: weights, and what each really gets', async () => {
    const version = (name: string) => page.locator(`[data-version="${name}"]`);
    await open('#/canary/canary/reviews', '[data-version="v2"]');
    assert.match((await version('v1').textContent()) ?? '', /everybody 90\.0 %/);
    await eventually(
      'the share of the canary',
      async () =>
        Math.abs(Number.parseFloat((await version('v2').locator('[data-observed]').textContent()) ?? '') - 10) < 6,
      30_000,
    );
    await open('#/service/canary/reviews', 'section[aria-label="routes"] .shares');
    assert.match(await textOf('section[aria-label="routes"]'), /header x-user tester.*weight 90.*As observed/);
  });

  it('shows over which minutes something happened', async () => {
    await open('#/service/canary/reviews', '.chart');
    await page.locator('.chart .line.first').first().waitFor({ state: 'attached', timeout: 45_000 });
  });

  it('lists the objects, marks the bad one and says why', async () => {
    const row = await open('#/config', '[data-object="Service/shop/wrong"]');
    assert.match((await row.textContent()) ?? '', /refused.*spec\.ports\[0\]\.port.*700000/);
    await open('#/config?find=readers', '[data-object="AuthorizationPolicy/canary/readers"] button');
    await page.locator('[data-object="AuthorizationPolicy/canary/readers"] button').click();
    assert.match(await textOf('pre'), /sa\/reader/);
  });

  it('says who may call whom, who does, and how often policies decided', async () => {
    await open('#/policies/canary', '[data-policy="canary/readers"]');
    const callers = async (client: string) => {
      const row = page.locator('table.matrix tr', { has: page.locator(`th:has-text("${client}")`) }).first();
      return (await row.textContent()) ?? '';
    };
    assert.match(await callers('canary/reader'), /◐ \d/, 'may read only, and does');
    assert.match(await callers('shop/customer'), /✗/);
    assert.match(await textOf('[data-policy="canary/readers"] [data-hits]'), /\d+ allowed/);
  });

  it('taps live requests, and ends it when the page is left', async () => {
    for (let visit = 0; visit < 6; visit++) {
      // Four may look at once: the others get in because those before them have left.
      await open('#/tap?namespace=shop&path=/products/broken', 'table.tap tr');
      assert.match(await textOf('table.tap tr'), /customer\.shop.*GET.*catalog\/products\/broken.*503/);
      await open('#/graph', '[data-node]');
    }
  });

  it('says to a fifth browser at the tap why it sees nothing, and lets it in when another one leaves', async () => {
    const others = await Promise.all(['1', '2', '3', '4'].map(() => page.context().newPage()));
    const tap = new URL('/#/tap?namespace=shop', address).href;
    for (const other of others) {
      await other.goto(tap);
      await other.locator('table.tap tr').first().waitFor();
    }
    await open('#/tap?namespace=shop', 'p[role="status"]:has-text("4 of your browsers look at the tap already")');
    await Promise.all(others.map((other) => other.close()));
    await page.locator('table.tap tr').first().waitFor();
    assert.doesNotMatch(await textOf('p[role="status"]'), /already/);
  });

  it('fits on a phone, page by page', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const hash of [
      'graph',
      'services',
      'workload/shop/catalog',
      'service/canary/reviews',
      'canary/canary/reviews',
      'policies',
      'config',
      'tap',
    ]) {
      await open(`#/${hash}`, '.panel');
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      assert.equal(overflow, 0, hash);
    }
    assert.deepEqual(failures, [], 'no page failed');
  });

  it('only reads', async () => {
    const answer = await page.request.post(new URL('/api/mesh', address).href);
    assert.equal(answer.status(), 405);
  });

  it('is for one browser: its address works once, and nobody else is let in', async () => {
    assert.equal((await fetch(address, { redirect: 'manual' })).status, 403);
    const api = new URL('/api/mesh', address);
    assert.equal((await fetch(api)).status, 403);
    const cookies = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    assert.equal((await fetch(api, { headers: { cookie: cookies } })).status, 200);
  });
});
