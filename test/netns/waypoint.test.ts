/** A waypoint of `ambit up`, between programs that know nothing of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const ECHO = `require('net').createServer((s) => { s.on('error', () => 0); s.pipe(s); }).listen(8080, '::')`;
/** Sends a text, ends its side and prints what comes back. */
const CLIENT = `
const [host, port, text] = process.argv.slice(1);
let answer = '';
const s = require('net').connect({ host, port: Number(port), allowHalfOpen: true });
s.setTimeout(5000, () => s.destroy(new Error('timeout')));
s.on('data', (d) => answer += d).on('error', (e) => answer = e.code ?? e.message).on('close', () => console.log(answer));
s.end(text);`;
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };

const namespace = (name: string, labels: object) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

function pod(name: string, spec: object = {}): object {
  const containers = [{ name: 'main', image: 'none', command: ['node', '-e', ECHO] }];
  const metadata = { name, namespace: 'app', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, containers, ...spec } };
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'echo', namespace: 'app' },
  spec: { selector: { app: 'echo' }, ports: [{ port: 80, targetPort: 8080 }] },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'app' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};
/** Lets the waypoint's account in, and nobody else. */
const onlyWaypoint = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'only-waypoint', namespace: 'app' },
  spec: {
    selector: { matchLabels: { app: 'echo' } },
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/app/sa/gate'] } }] }],
  },
};

describe('a waypoint of ambit up', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const ask = async (host: string, port: number) => {
    const { stdout } = await mesh.exec('client', '-n', 'app', '--', 'node', '-e', CLIENT, host, String(port), 'hello');
    return stdout.trim();
  };
  const echoAddress = () => mesh.state?.pods.find(({ name }) => name === 'echo')?.ips[0] ?? '';

  before(async () => {
    mesh.write('namespace.yaml', namespace('app', AMBIENT));
    mesh.write('pods.yaml', pod('echo', { nodeName: 'node2' }), pod('client', { nodeName: 'node1' }), service);
    await mesh.up(2, '--nodes', '2');
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('is started by a Gateway, and then carries what is sent to the services of its namespace', async () => {
    assert.equal(await ask('echo', 80), 'hello');
    mesh.write('gateway.yaml', gateway);
    await eventually('the waypoint is ready', () => mesh.readyPods().length === 3);
    mesh.write('namespace.yaml', namespace('app', { ...AMBIENT, 'istio.io/use-waypoint': 'gate' }));
    await eventually('a connection through it', async () => {
      assert.equal(await ask('echo', 80), 'hello');
      return /dst.service="echo.app.svc.cluster.local" dst.workload="echo"/.test(mesh.log(/_gate-.*_istio-proxy/));
    });
    assert.match(await mesh.settledLog(/_gate-/), /src.identity="spiffe:\/\/cluster.local\/ns\/app\/sa\/client"/);
  });

  it('calls under its own identity, so that a policy can ask for it', async () => {
    mesh.write('policy.yaml', onlyWaypoint);
    await eventually('the direct way is closed', async () => (await ask(echoAddress(), 8080)) !== 'hello');
    assert.equal(await ask('echo', 80), 'hello');
  });

  it('that is gone closes the way to its services, and opens it again when it is back', async () => {
    mesh.write('gateway.yaml');
    await eventually('no way in', async () => (await ask('echo', 80)) !== 'hello');
    mesh.write('gateway.yaml', gateway);
    await eventually('the way in', async () => (await ask('echo', 80)) === 'hello');
  });
});
