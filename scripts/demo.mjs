// `make demo`: a shop of unmodified programs on two nodes, before and after they join the mesh. Ends by itself without a
// terminal; stays up until Ctrl-C with one. Exit status 1 when anything was not observed.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canary, explain, tap } from './demo/look-steps.mjs';
import { DemoMesh } from './demo/mesh.mjs';
import { edges, label, mutualTls, plaintext, policy, rotation, strict } from './demo/steps.mjs';

const HOME = join(dirname(fileURLToPath(import.meta.url)), '..');
const LIMIT_MS = 115_000;
/** Short, so that a certificate is replaced while somebody watches. */
const CERTIFICATE_LIFETIME = '24s';
const STEPS = [
  ['Before the label: plaintext on the wire', plaintext],
  ['The label', label],
  ['After the label: TLS on the wire, with the identities of both ends', mutualTls],
  ['STRICT: an outsider is refused', strict],
  ['AuthorizationPolicy: one service account is let in, another not, changed live', policy],
  ['A certificate is replaced under load', rotation],
  ['Every edge, from the metrics of the proxies', edges],
  ['ambit explain and authz: why a call is refused, and what policies decided', explain],
  ['ambit tap: requests as they come, through a waypoint in front of two versions', tap],
  ['A canary: from 90/10 to 50/50 while requests run, seen in the graph', canary],
];

const mesh = new DemoMesh(HOME, join(HOME, 'examples/shop'));
const interactive = process.stdout.isTTY === true && process.stdin.isTTY === true;
let interrupted = false;
let observed = false;

const limit = setTimeout(() => void fail(new Error(`the demo took longer than ${LIMIT_MS / 1000} s`)), LIMIT_MS);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (interrupted) return;
    interrupted = true;
    void finish(observed ? 0 : 130);
  });
}

async function finish(status) {
  clearTimeout(limit);
  try {
    await mesh.down();
    process.exit(status);
  } catch (error) {
    process.stderr.write(`demo: ${error.message}\n`);
    process.exit(1);
  }
}

async function fail(error) {
  if (interrupted) return;
  interrupted = true;
  process.stderr.write(`\ndemo failed: ${error.message}\n`);
  for (const line of mesh
    .logLines(/^(up|control|node\d+_(agent|ztunnel))\.log$/)
    .filter((one) => /\t(warn|error)\t/.test(one))
    .slice(-15)) {
    process.stderr.write(`  ${line}\n`);
  }
  await finish(1);
}

try {
  const started = Date.now();
  process.stdout.write('Starting examples/shop on two nodes ...\n');
  await mesh.up(2, { SECRET_TTL: CERTIFICATE_LIFETIME });
  const { pods } = mesh.state();
  process.stdout.write(`${pods.length} pods ready on 2 nodes after ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  for (const [index, [title, step]] of STEPS.entries()) {
    process.stdout.write(`\n${index + 1}. ${title}\n`);
    await step(mesh);
  }
  process.stdout.write(`\nAll observed in ${((Date.now() - started) / 1000).toFixed(0)} s.\n`);
  clearTimeout(limit);
  observed = true;
  if (!interactive) {
    process.stdout.write('In a terminal the mesh stays up now, and the address of its dashboard is printed here.\n');
    await finish(0);
  }
  process.stdout.write(`The mesh stays up, fed by ${mesh.manifests}: edit a file there. Ctrl-C ends it.\n`);
  const { address } = await mesh.dashboard();
  process.stdout.write(`Dashboard, for one browser: ${address}\n`);
  await mesh.ended;
  if (!interrupted) await finish(0);
} catch (error) {
  await fail(error);
}
