// The steps of the demo that look at the mesh by the commands of a person. Each throws when it did not see what it says.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDashboard, requestRates } from './dashboard.mjs';
import { until } from './mesh.mjs';

const PAYMENTS = 'http://payments.payments:8080/';
const VERSIONS = ['canary/reviews-v1', 'canary/reviews-v2'];
/** Some hundred requests a second over one connection after the other. */
const LOAD = 'while :; do curl -s -o /dev/null "http://reviews/reviews/[1-50]"; sleep 0.1; done';
const TAPPED = 4;

function show(text) {
  for (const line of text.trimEnd().split('\n')) process.stdout.write(`   ${line}\n`);
}

function require(condition, what) {
  if (!condition) throw new Error(`not observed: ${what}`);
}

/** A call is refused, and the commands say by whom and what would let it through. */
export async function explain(mesh) {
  const refused = await mesh.exec('shop', 'deploy/catalog', 'curl', '-sS', '-m', '3', PAYMENTS);
  require(refused.status !== 0, 'catalog refused by payments');
  show(`catalog -> payments refused, curl status ${refused.status}\n$ ambit explain catalog.shop payments.payments`);
  const said = await mesh.ambit('explain', 'catalog.shop', 'payments.payments');
  require(said.status === 1, 'ambit explain says that the call is refused');
  require(said.stdout.includes('payments-callers.payments'), 'ambit explain names the policy');
  require(said.stdout.includes('cluster.local/ns/shop/sa/catalog'), 'ambit explain says whom to let in');
  show(said.stdout);
  const { stdout } = await mesh.ambit('authz', 'payments');
  const row = stdout.split('\n').find((line) => line.startsWith('payments/payments-callers')) ?? '';
  require(/ALLOW .*ztunnel-node2 +[1-9]/.test(row), 'ambit authz counts what the policy allowed');
  show(`$ ambit authz payments\n${stdout}`);
}

/** What is asked right now, read from the proxies, nothing configured for it. */
export async function tap(mesh) {
  await startCanary(mesh);
  const { status, stdout, stderr } = await mesh.ambit(
    'tap',
    '--namespace',
    'canary',
    '--path',
    '/reviews',
    '--count',
    `${TAPPED}`,
  );
  const lines = stdout.trimEnd().split('\n');
  require(status === 0 && lines.length === TAPPED, `requests from ambit tap: ${stderr}`);
  require(lines.every((line) => line.includes('200')), 'requests that are answered with 200');
  show(`$ ambit tap --namespace canary --path /reviews --count ${TAPPED}\n${stdout}`);
}

/** Two versions behind a waypoint, and somebody who calls them all the time. */
async function startCanary(mesh) {
  mesh.add('examples/canary');
  await until('two versions and a waypoint', 30_000, () => {
    const pods = (mesh.state().pods ?? []).filter(({ namespace }) => namespace === 'canary');
    return pods.length === 4 && pods.every(({ ready }) => ready);
  });
  await until('an answer of reviews', 20_000, async () => {
    const { stdout } = await mesh.exec('canary', 'reader', 'curl', '-s', '-m', '3', 'http://reviews/reviews/1');
    return stdout.startsWith('reviews v');
  });
  mesh.keepRunning('canary', 'reader', 'sh', '-c', LOAD);
}

/** The share of version 2 in the graph is what the route says, before and after it is changed. */
export async function canary(mesh) {
  const dashboard = await mesh.dashboard();
  try {
    const read = await openDashboard(dashboard.address);
    show(`as the route says 90/10: ${await share(read, 0.05, 0.16)}`);
    const file = join(mesh.manifests, 'canary/routes.yaml');
    const before = readFileSync(file, 'utf8');
    const after = before.replace('weight: 90', 'weight: 50').replace('weight: 10', 'weight: 50');
    require(after !== before, 'weights to change');
    writeFileSync(file, after);
    show(`and after an edit,  50/50: ${await share(read, 0.45, 0.55)}`);
  } finally {
    dashboard.stop();
  }
}

/** Waits until version 2 has a share between the two, and says what the graph shows. */
async function share(read, least, most) {
  return until(`a share of version 2 from ${least} to ${most} in the graph`, 30_000, async () => {
    const [one, two] = requestRates(await read(), ...VERSIONS);
    const part = two / (one + two);
    if (!(part >= least && part <= most)) return undefined;
    return `reviews-v1 ${one.toFixed(0)}/s, reviews-v2 ${two.toFixed(0)}/s in the graph of the dashboard (${Math.round(part * 100)} %)`;
  });
}
