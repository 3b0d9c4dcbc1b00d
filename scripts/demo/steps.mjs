// The steps of the demo. Each looks at the mesh from outside, says what it saw, and throws when it did not see it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTlsRecord, segments } from './capture.mjs';
import { until } from './mesh.mjs';
import { edgeRows, edgesOf, table } from './metrics.mjs';

const MARKER = 'card=4111-1111-1111-1111';
const CAPTURE_SECONDS = 2;
const HBONE_PORT = 15008;
const PAYMENTS = 'http://payments.payments:8080/';
const STOREFRONT_ID = 'spiffe://cluster.local/ns/shop/sa/storefront';
const PAYMENTS_ID = 'spiffe://cluster.local/ns/payments/sa/payments';

function say(text) {
  process.stdout.write(`   ${text}\n`);
}

function require(condition, what) {
  if (!condition) throw new Error(`not observed: ${what}`);
}

/** How the shopper fares, by its own count. */
function purchases(mesh) {
  const last = mesh.logLines(/^shop_shopper-/).findLast((line) => line.includes('bought=')) ?? '';
  const [, bought = '0', failed = '0'] = /bought=(\d+) failed=(\d+)/.exec(last) ?? [];
  return { bought: Number(bought), failed: Number(failed), last };
}

async function waitForPurchases(mesh, count) {
  const { bought } = purchases(mesh);
  await until(`${count} more purchases`, 20_000, () => purchases(mesh).bought >= bought + count);
}

function describeCapture(pcap) {
  const all = [...segments(pcap)];
  const tunnel = all.filter((one) => one.sourcePort === HBONE_PORT || one.destinationPort === HBONE_PORT);
  return {
    segments: all.length,
    tunnel: tunnel.length,
    tls: tunnel.filter(({ payload }) => isTlsRecord(payload)).length,
    marker: all.find(({ payload }) => payload.includes(MARKER)),
  };
}

/** Plaintext is seen where the packets of node1 leave it. */
export async function plaintext(mesh) {
  await waitForPurchases(mesh, 3);
  const seen = describeCapture(await mesh.capture('node1', CAPTURE_SECONDS));
  require(seen.marker !== undefined, `the card number in ${seen.segments} captured segments`);
  require(seen.tunnel === 0, 'no traffic on port 15008 before the label');
  say(
    `recorded on node1's network card: ${seen.segments} segments, none on port ${HBONE_PORT}; one of them, in full sight:`,
  );
  const text = seen.marker.payload.toString('latin1').split('\r\n').filter(Boolean);
  for (const line of text.slice(0, 8)) say(`  | ${line}`);
}

/** The label is added to two namespaces, in their manifest. */
export async function label(mesh) {
  const file = join(mesh.manifests, 'namespaces.yaml');
  const before = readFileSync(file, 'utf8');
  const after = before.replace(
    /^ {2}name: (shop|payments)$/gm,
    (line) => `${line}\n  labels:\n    istio.io/dataplane-mode: ambient`,
  );
  require(after !== before, 'namespaces to label');
  const pids = new Map(mesh.state().pods.map(({ name, pid }) => [name, pid]));
  const started = Date.now();
  writeFileSync(file, after);
  await until('all pods of shop and payments in the mesh', 20_000, () =>
    mesh.state().pods.every(({ namespace, enrolled, ready }) => namespace === 'outside' || (enrolled && ready)),
  );
  const pods = mesh.state().pods;
  require(pods.every(({ name, pid }) => pids.get(name) === pid), 'the same pods as before: none was restarted');
  const enrolled = pods.filter((pod) => pod.enrolled).length;
  say(`istio.io/dataplane-mode: ambient on namespaces shop and payments`);
  say(`${enrolled} pods in the mesh ${Date.now() - started} ms after the file was saved, no pod restarted`);
}

/** The same capture shows TLS only, and both proxies name both identities. */
export async function mutualTls(mesh) {
  await waitForPurchases(mesh, 5);
  const seen = describeCapture(await mesh.capture('node1', CAPTURE_SECONDS));
  require(seen.tunnel > 0 && seen.tls > 0, `TLS records on port ${HBONE_PORT}`);
  require(seen.marker === undefined, `no card number in ${seen.segments} captured segments`);
  say(
    `recorded on node1's network card: ${seen.tunnel} segments on port ${HBONE_PORT}, ${seen.tls} start a TLS record; no card number in any`,
  );
  for (const [node, direction] of [
    ['node1', 'outbound'],
    ['node2', 'inbound'],
  ]) {
    const line = await until(`identities in the access log of ${node}`, 10_000, () =>
      mesh
        .logLines(new RegExp(`^${node}_ztunnel`))
        .findLast((one) =>
          [`src.identity="${STOREFRONT_ID}"`, `dst.identity="${PAYMENTS_ID}"`, direction].every((part) =>
            one.includes(part),
          ),
        ),
    );
    const fields = ['src.addr', 'src.identity', 'dst.addr', 'dst.identity', 'direction'];
    const shown = fields.map((name) => line.match(new RegExp(`${name.replace('.', '\\.')}=(\\S+)`))?.[0]);
    say(`access log of ${node}: ${shown.join(' ')}`);
  }
}

/** One call from a pod: the answer, or how it failed. */
async function call(mesh, namespace, pod) {
  const { status, stdout } = await mesh.exec(namespace, pod, 'curl', '-sS', '-m', '3', PAYMENTS);
  return { answered: status === 0, text: status === 0 ? stdout.trim() : `refused, curl status ${status}` };
}

async function callUntil(mesh, namespace, pod, answered) {
  const what = `${namespace}/${pod} ${answered ? 'let in' : 'refused'} by payments`;
  return until(what, 10_000, async () => {
    const seen = await call(mesh, namespace, pod);
    return seen.answered === answered ? seen : undefined;
  });
}

/** STRICT refuses who has no identity. */
export async function strict(mesh) {
  const before = await callUntil(mesh, 'outside', 'outsider', true);
  say(`outsider -> payments, permissive: "${before.text}"`);
  writeFileSync(
    join(mesh.manifests, 'strict.yaml'),
    `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: payments }
spec: { mtls: { mode: STRICT } }
`,
  );
  const after = await callUntil(mesh, 'outside', 'outsider', false);
  say(`outsider -> payments, STRICT:     ${after.text}`);
  const refusal = await until("the refusal in node2's access log", 5000, () =>
    mesh.logLines(/^node2_ztunnel/).findLast((line) => line.includes('policy rejection')),
  );
  say(`access log of node2: ${/error=.*/.exec(refusal)?.[0]}`);
  const { failed } = purchases(mesh);
  await waitForPurchases(mesh, 3);
  require(purchases(mesh).failed === failed, 'purchases inside the mesh go on');
  say('purchases inside the mesh go on');
}

function writePolicy(mesh, accounts) {
  const principals = accounts.map((account) => `cluster.local/ns/shop/sa/${account}`);
  writeFileSync(
    join(mesh.manifests, 'policy.yaml'),
    `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: payments-callers, namespace: payments }
spec:
  selector: { matchLabels: { app: payments } }
  action: ALLOW
  rules: [{ from: [{ source: { principals: [${principals.join(', ')}] } }] }]
`,
  );
}

/** An AuthorizationPolicy lets one account in and another not, and changes live. */
export async function policy(mesh) {
  const shopper = ['shop', 'deploy/shopper'];
  const storefront = ['shop', 'deploy/storefront'];
  say(`no policy:                     shopper -> payments "${(await callUntil(mesh, ...shopper, true)).text}"`);
  writePolicy(mesh, ['storefront']);
  say(`policy allows storefront:      shopper -> payments ${(await callUntil(mesh, ...shopper, false)).text}`);
  say(`                               storefront -> payments "${(await callUntil(mesh, ...storefront, true)).text}"`);
  writePolicy(mesh, ['storefront', 'shopper']);
  say(`policy allows shopper as well: shopper -> payments "${(await callUntil(mesh, ...shopper, true)).text}"`);
}

/** The certificate of an identity in the proxy of a node. */
async function certificateOf(mesh, node, identity) {
  const { stdout } = await mesh.onNode(node, 'curl', '-s', '-m', '3', 'http://127.0.0.1:15000/config_dump');
  const entry = JSON.parse(stdout || '{}').certificates?.find((one) => one.identity === identity);
  return entry?.certChain?.[0];
}

/** Certificates of both ends are replaced while requests run, and none fails. */
export async function rotation(mesh) {
  const ends = [
    ['node1', STOREFRONT_ID],
    ['node2', PAYMENTS_ID],
  ];
  const before = await Promise.all(ends.map((end) => certificateOf(mesh, ...end)));
  require(before.every((one) => one !== undefined), 'certificates of both ends in config_dump');
  const start = purchases(mesh);
  const after = await until('new certificates at both ends', 40_000, async () => {
    const now = await Promise.all(ends.map((end) => certificateOf(mesh, ...end)));
    return now.every((one, index) => one && one.serialNumber !== before[index].serialNumber) ? now : undefined;
  });
  await waitForPurchases(mesh, 5);
  const end = purchases(mesh);
  require(end.failed === start.failed, `no failed purchase: ${end.last}`);
  ends.forEach(([node, identity], index) => {
    say(`${identity} on ${node}:`);
    say(`  serial ${before[index].serialNumber} until ${before[index].expirationTime}`);
    say(`      -> ${after[index].serialNumber} until ${after[index].expirationTime}`);
  });
  say(`${end.bought - start.bought} purchases meanwhile, each over new connections at every hop, 0 failed`);
}

/** Who talked to whom, from the metrics of both proxies. */
export async function edges(mesh) {
  const nodes = mesh.state().nodes.map(({ name }) => name);
  const pages = await Promise.all(
    nodes.map(
      async (node) => (await mesh.onNode(node, 'curl', '-s', '-m', '3', 'http://127.0.0.1:15020/metrics')).stdout,
    ),
  );
  const found = edgesOf(pages);
  const secured = found
    .filter((edge) => edge.secured)
    .map(({ labels }) => `${labels.source_workload}-${labels.destination_workload}`);
  for (const edge of [
    'shopper-storefront',
    'storefront-catalog',
    'storefront-cart',
    'storefront-payments',
    'payments-ledger',
  ]) {
    require(secured.includes(edge), `the edge ${edge} over mutual TLS in the metrics`);
  }
  process.stdout.write(`${table(edgeRows(found))}\n`);
}
