/** `ambit check path` on a mesh of two nodes: what it finds when all is well, and when something on the way is not. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';

const NS = 'way';
const SERVER = `require('net').createServer((socket) => socket.end()).listen(8080, '::');`;

const object = (apiVersion: string, kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: NS },
  spec,
});

function pod(name: string, node: string, command: readonly string[]): object {
  const readinessProbe = name === 'server' ? { tcpSocket: { port: 8080 }, periodSeconds: 1 } : undefined;
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NS, labels: { app: name } },
    spec: { nodeName: node, containers },
  };
}

interface Finding {
  readonly group: string;
  readonly level: string;
  readonly text: string;
  readonly hint: string;
}

describe('ambit check path', { timeout: 120_000 }, () => {
  const mesh = new LocalMesh();
  const check = async (to: string, ...more: readonly string[]) => {
    const { status, stdout, stderr } = await mesh.ambit([
      'check',
      'path',
      `client.${NS}`,
      to,
      '--name',
      'test',
      '-o',
      'json',
      ...more,
    ]);
    assert.notEqual(stdout, '', stderr);
    const findings = JSON.parse(stdout) as readonly Finding[];
    const wrong = findings
      .filter(({ level }) => level !== 'ok')
      .map(({ level, text, hint }) => `${level}: ${text} (${hint})`);
    return { status, findings, wrong };
  };
  const onServer = (...command: readonly string[]) => mesh.exec('server', '-n', NS, '--', ...command);

  before(async () => {
    const labels = { 'istio.io/dataplane-mode': 'ambient' };
    const ports = [{ name: 'tcp', port: 80, targetPort: 8080 }];
    mesh.write(
      'mesh.yaml',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels } },
      object('v1', 'Service', 'server', { selector: { app: 'server' }, ports }),
      pod('server', 'node2', ['node', '-e', SERVER]),
      pod('client', 'node1', ['sleep', 'infinity']),
    );
    await mesh.up(2, '--nodes', '2');
    await eventually('a way', async () => (await check('server')).status === 0, 20_000);
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('says what is tried, of an address that the mesh does not know', async () => {
    const { status, wrong } = await check('198.51.100.1:80');
    assert.equal(status, 1);
    assert.match(
      wrong[0] ?? '',
      /^error: 198\.51\.100\.1 is nobody of the mesh: .*\(only Services, ServiceEntries and pods/,
    );
  });

  it('says of each hop that it is well, and with whom it spoke', async () => {
    const { status, findings, wrong } = await check('server');
    assert.deepEqual([status, wrong], [0, []]);
    const text = findings.map((one) => one.text).join('\n');
    assert.match(text, /^server is 10\.96\.\d+\.\d+, answered by the mesh\n/);
    assert.match(text, /is server\.way, through a tunnel to 10\.244\.2\.\d+:15008\n/);
    assert.match(text, /ns\/way\/sa\/default is valid for \d+ more minutes\npackets of 1500 bytes reach 10\.244\.2/);
    assert.match(
      text,
      /the peer is spiffe:\/\/cluster\.local\/ns\/way\/sa\/default\nCONNECT .*:8080 is answered with 200/,
    );
  });

  it('tells a policy that denies from a program that does not listen, and names the policy', async () => {
    const silent = await check(`server.${NS}:9999`);
    assert.match(silent.wrong.join(), /no healthy upstream.*the service has no port 9999; it has 80/);
    const pods = mesh.readyPods();
    const ip = pods.find(({ name }) => name === 'server')?.ips[0] ?? assert.fail(JSON.stringify(pods));
    const nobody = await check(`${ip}:9999`);
    assert.equal(nobody.status, 1);
    assert.match(nobody.wrong.join(), /503 Service Unavailable.*does the program listen on that port\?/);
    mesh.write(
      'policy.yaml',
      object('security.istio.io/v1', 'AuthorizationPolicy', 'nobody', { action: 'DENY', rules: [{}] }),
    );
    await eventually('a denial', async () => (await check('server')).status === 1);
    const { wrong } = await check('server');
    mesh.remove('policy.yaml');
    assert.match(wrong.join('\n'), /401 Unauthorized.*policy of the destination/);
    assert.match(wrong.join('\n'), /explicitly denied by: way\/nobody \(change policy way\/nobody/);
    await eventually('no denial', async () => (await check('server')).status === 0);
  });

  it('asks for a name that nobody has, and refuses a client that is none of the mesh', async () => {
    const { status, wrong } = await check('nothing');
    assert.equal(status, 1);
    assert.match(wrong.join(), /^error: nothing: (there is no such name|the mesh does not know it)/);
    const outside = await mesh.ambit(['check', 'path', 'outside', 'server', '-n', NS, '--name', 'test']);
    assert.equal(outside.status, 1);
    assert.match(outside.stderr, /outside the mesh is not in the mesh, no proxy can try its way/);
  });

  it('finds links that take less than the others, and tells those that say so from those that do not', async () => {
    const link = (node: string, mtu: string) =>
      mesh.ambit(['exec', '--node', node, '--name', 'test', '--', 'ip', 'link', 'set', 'eth0', 'mtu', mtu]);
    await link('node1', '1400');
    const told = await check('server');
    await link('node1', '1500');
    assert.equal(told.status, 0);
    assert.match(told.wrong.join(), /^warning: packets of 1400 bytes reach .* the link takes 1500; the path says so/);
    await link('node2', '1300');
    const lost = await check('server');
    await link('node2', '1500');
    assert.equal(lost.status, 1);
    assert.match(lost.wrong.join(), /^error: packets of more than 130\d bytes vanish on the way/);
  });

  it('finds a port that packets are dropped at', async () => {
    const rule = ['INPUT', '-p', 'tcp', '--dport', '15008', '-j', 'DROP'];
    assert.equal((await onServer('iptables', '-I', ...rule)).status, 0);
    const { status, wrong } = await check('server');
    await onServer('iptables', '-D', ...rule);
    assert.equal(status, 1);
    assert.match(wrong.join(), /^error: .*:15008: connection timed out.*let NetworkPolicies and firewalls pass/);
  });
});
