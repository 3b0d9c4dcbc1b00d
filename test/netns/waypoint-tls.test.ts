/** TLS to endpoints at a waypoint of `ambit up`, with certificate, key and authority from Secrets and files. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';
import { createTestCa, type TestLeaf } from '../helpers/test-ca.ts';

/** Tells whose certificate it was shown; each request has a connection of its own. */
const BANK = `
const [cert, key, ca] = process.argv.slice(1);
require('https').createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (req, res) => {
  res.setHeader('connection', 'close');
  res.end('serial ' + req.socket.getPeerCertificate().serialNumber);
}).listen(8443, '::');`;

const PLAIN = `require('http').createServer((req, res) => res.end('plain')).listen(8080, '::');`;

const ASK = `
fetch(process.argv[1]).then(async (r) => console.log(r.status, await r.text()))
  .catch((e) => console.log('failed', e.cause?.code ?? e.message));`;

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'gate' } },
};
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'shop' },
  spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function service(name: string, targetPort: number): object {
  const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec };
}

function pod(name: string, port: number | undefined, command: readonly string[]): object {
  const readinessProbe = port && { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace: 'shop', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, containers } };
}

function secret(data: Readonly<Record<string, string>>): object {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  const metadata = { name: 'bank-client', namespace: 'shop' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data: Object.fromEntries(encoded) };
}

function rule(tls: object): object {
  const metadata = { name: 'bank', namespace: 'shop' };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata,
    spec: { host: 'bank', trafficPolicy: { tls } },
  };
}

function serialOf({ certPem }: TestLeaf): string {
  return new X509Certificate(certPem).serialNumber;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('TLS from a waypoint to endpoints', { timeout: 110_000 }, () => {
  const mesh = new LocalMesh();
  const folder = mkdtempSync(join(tmpdir(), 'waypoint-tls-'));
  const ca = createTestCa();
  const bank = ca.leaf({ uris: [], dnsNames: ['bank.shop.svc.cluster.local'] });
  const clients = [ca.leaf(), ca.leaf(), ca.leaf()] as const;
  const ask = async (name: string) => {
    const { stdout, stderr } = await mesh.exec('client', '-n', 'shop', '--', 'node', '-e', ASK, `http://${name}/`);
    return `${stdout}${stderr}`.trim();
  };
  const gateLog = () => mesh.log(/_gate-/);
  const status = () => readFileSync(join(mesh.run.path, 'control-status.json'), 'utf8');

  before(async () => {
    mesh.write('mesh.yaml', namespace, gateway, service('bank', 8443), service('plain', 8080));
    mesh.write(
      'pods.yaml',
      pod('bank', 8443, ['node', '-e', BANK, '--', bank.certPem, bank.keyPem, ca.rootPem]),
      pod('plain', 8080, ['node', '-e', PLAIN]),
      pod('client', undefined, ['sleep', 'infinity']),
    );
    await mesh.up(4);
    await eventually('an answer', async () => (await ask('plain')) === '200 plain');
  });
  after(async () => {
    await mesh[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('does not come up while its Secret is missing, and says so', async () => {
    mesh.write('rule.yaml', rule({ mode: 'MUTUAL', credentialName: 'bank-client' }));
    const problem = 'Secret shop/bank-client does not exist';
    await eventually('the rule', async () => (await ask('bank')).startsWith('503') && gateLog().includes(problem));
    await eventually('a remark', () => status().includes(`spec.trafficPolicy.tls.credentialName: ${problem}`));
    assert.equal(await ask('plain'), '200 plain');
  });

  it('shows the certificate of the Secret, and trusts its authority', async () => {
    const { certPem, keyPem } = clients[0];
    mesh.write('secret.yaml', secret({ 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': ca.rootPem }));
    await eventually('an answer', async () => (await ask('bank')) === `200 serial ${serialOf(clients[0])}`);
    await eventually('no remark', () => !status().includes('credentialName'));
  });

  it('takes another certificate for new connections, under the older names of keys, too', async () => {
    const { certPem, keyPem } = clients[1];
    mesh.write('secret.yaml', secret({ cert: certPem, key: keyPem, cacert: ca.rootPem }));
    await eventually('the other', async () => (await ask('bank')) === `200 serial ${serialOf(clients[1])}`);
  });

  it('fails when the Secret is broken, and nothing else does', async () => {
    const { certPem } = clients[1];
    const { keyPem } = clients[0];
    mesh.write('secret.yaml', secret({ 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': ca.rootPem }));
    const problem = 'has a key that is not of its certificate';
    await eventually('a failure', async () => (await ask('bank')).startsWith('503') && gateLog().includes(problem));
    await eventually('a remark', () => status().includes(problem));
    assert.equal(await ask('plain'), '200 plain');
  });

  it('refuses an endpoint of another authority', async () => {
    const { certPem, keyPem } = clients[0];
    const stranger = createTestCa().rootPem;
    mesh.write('secret.yaml', secret({ 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': stranger }));
    await eventually('a failure', async () => {
      return (await ask('bank')).startsWith('503') && /tls error: .*(self-signed|unable to)/.test(gateLog());
    });
  });

  it('takes files of the waypoint, and reads them again', async () => {
    const path = (name: string) => join(folder, name);
    const put = ({ certPem, keyPem }: TestLeaf) => {
      writeFileSync(path('crt'), certPem);
      writeFileSync(path('key'), keyPem, { mode: 0o600 });
    };
    put(clients[2]);
    writeFileSync(path('ca'), ca.rootPem);
    const tls = { mode: 'MUTUAL', clientCertificate: path('crt'), privateKey: path('key'), caCertificates: path('ca') };
    mesh.write('rule.yaml', rule(tls));
    await eventually('an answer', async () => (await ask('bank')) === `200 serial ${serialOf(clients[2])}`);
    put(clients[0]);
    await eventually('the other', async () => (await ask('bank')) === `200 serial ${serialOf(clients[0])}`);
    rmSync(path('ca'));
    await eventually('a failure', async () => (await ask('bank')).startsWith('503') && gateLog().includes('ENOENT'));
  });

  it('leaves no key in any log or file of the run', () => {
    const keys = clients.map(({ keyPem }) => keyPem.split('\n')[1] ?? assert.fail());
    const encoded = clients.map(({ keyPem }) => Buffer.from(keyPem).toString('base64').slice(60, 120));
    const files = filesBelow(mesh.run.path);
    assert.ok(files.some((file) => file.endsWith('control-status.json')));
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      for (const part of [...keys, ...encoded]) assert.ok(!text.includes(part), file);
    }
    for (const part of [...keys, ...encoded]) assert.ok(!mesh.output.includes(part));
  });
});
