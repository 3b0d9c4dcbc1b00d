/** Policies of a waypoint that change while connections are open, and those that only look on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

/** Raw bytes on 8081; HTTP on 8080, where an upgrade is granted and echoes. */
const SERVER = `
require('net').createServer((s) => { s.on('error', () => 0); s.pipe(s); }).listen(8081, '::');
require('http').createServer((req, res) => res.end('hello')).on('upgrade', (req, s, head) => {
  s.on('error', () => 0);
  s.write('HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n');
  s.pipe(s);
}).listen(8080, '::');`;

/** Keeps a connection busy until it ends; prints how many answers came after the first, and that it ended. */
const HOLD = `
const [port, first] = process.argv.slice(1);
const s = require('net').connect({ host: 'open', port: Number(port) });
let answers = 0;
s.on('error', () => 0).on('data', () => answers++).on('close', () => { console.log('ended', answers > 1); process.exit(); });
s.write(first.replaceAll('|', '\\r\\n'));
setInterval(() => s.write('x'), 50);
setTimeout(() => { console.log('still open'); process.exit(); }, 15000);`;

const UPGRADE =
  'GET / HTTP/1.1|host: open|connection: upgrade|upgrade: websocket|sec-websocket-version: 13|sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==||';
const NS = 'live';

function pod(name: string, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'open' ? { tcpSocket: { port: 8080 }, periodSeconds: 1 } : undefined;
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: NS, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
}

function policy(name: string, spec: object, annotations: object = {}): object {
  const targetRefs = [{ group: '', kind: 'Service', name: 'open' }];
  const metadata = { name, namespace: NS, annotations };
  return { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec: { targetRefs, ...spec } };
}

describe('policies of a waypoint', { timeout: 100_000 }, () => {
  const mesh = new LocalMesh();
  const inClient = (...command: readonly string[]) => mesh.exec('client', '-n', NS, '--', ...command);
  const log = () => mesh.log(/_gate-/);

  before(async () => {
    const labels = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' };
    const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
    const ports = [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'tcp', port: 81, targetPort: 8081 },
    ];
    mesh.write(
      'mesh.yaml',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels } },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'gate', namespace: NS },
        spec: { gatewayClassName: 'istio-waypoint', listeners },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'open', namespace: NS },
        spec: { selector: { app: 'open' }, ports },
      },
      pod('open', 'node2', ['node', '-e', SERVER]),
      pod('client', 'node1', ['sleep', 'infinity']),
    );
    await mesh.up(3, '--nodes', '2');
    await eventually('an answer', async () => (await inClient('curl', '-s', 'http://open')).stdout === 'hello');
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('that come to deny end open connections and upgraded requests at once', async () => {
    const held = [inClient('node', '-e', HOLD, '81', 'x'), inClient('node', '-e', HOLD, '80', UPGRADE)];
    await new Promise((resolve) => setTimeout(resolve, 1500));
    // What still allows them leaves them open.
    mesh.write(
      'policy.yaml',
      policy('other', { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['x'] } }] }] }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    mesh.write(
      'policy.yaml',
      policy('nobody', { action: 'DENY', rules: [{ from: [{ source: { namespaces: [NS] } }] }] }),
    );
    for (const { stdout } of await Promise.all(held)) assert.equal(stdout.trim(), 'ended true');
    await eventually(
      'both in the log',
      () =>
        /error="connection closed due to policy change"/.test(log()) &&
        /response_code_details="policy_changed"/.test(log()),
    );
    mesh.remove('policy.yaml');
  });

  it('in dry run, and of AUDIT, say in the access log what they would have done, and do nothing', async () => {
    const paths = (path: string) => [{ to: [{ operation: { paths: [path] } }] }];
    mesh.write(
      'policy.yaml',
      policy('dry', { action: 'DENY', rules: paths('/dry*') }, { 'istio.io/dry-run': 'true' }),
      policy('watch', { action: 'AUDIT', rules: paths('/seen*') }),
    );
    await eventually('the policies', async () => {
      await inClient('curl', '-s', 'http://open/dry/1');
      return log().includes('dry_run_denied_by="ns[live]-policy[dry]-rule[0]"');
    });
    assert.equal((await inClient('curl', '-s', 'http://open/dry/2')).stdout, 'hello');
    assert.equal((await inClient('curl', '-s', 'http://open/seen')).stdout, 'hello');
    await eventually('the audit', () => log().includes('audited_by="ns[live]-policy[watch]-rule[0]"'));
  });
});
