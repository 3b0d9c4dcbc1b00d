/**
 * A proxy that is killed while a pod of its node keeps connecting, in a mesh so big that the first answer of the control
 * plane takes its time (facts performance-and-reliability C 27): not one byte of the pod is on the wire in plaintext,
 * neither while nobody serves the pod nor while the new proxy knows half of the mesh.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';
import { WireCapture } from '../helpers/wire-capture.ts';

const SERVICES = 20_000;
const SECRET = `secret-${randomBytes(8).toString('hex')}`;
const PUBLIC = `public-${randomBytes(8).toString('hex')}`;

const SERVER = `require('net').createServer((s) => s.on('error', () => 0).pipe(s)).listen(8080, '::')`;
/**
 * Says the text to the host for ever: on a new connection every few ms, at most 20 at a time, and on one that stays open
 * as long as it can. Prints how many answers came back whole.
 */
const CLIENT = `
const net = require('net');
const [host, port, text] = process.argv.slice(1);
let answers = 0, failures = 0, open = 0;
const ask = (done, again) => {
  let got = '';
  const s = net.connect(Number(port), host, () => s.write(text));
  s.setTimeout(3000, () => s.destroy());
  s.on('data', (d) => { got += d; if (got.length >= text.length) { answers++; got = ''; again(s); } });
  s.on('error', () => failures++).on('close', done);
};
setInterval(() => { if (open < 20) { open++; ask(() => open--, (s) => s.end()); } }, 5);
const stay = () => ask(() => setTimeout(stay, 5), (s) => setTimeout(() => s.write(text), 5));
stay();
setInterval(() => console.log('answers', answers, 'failures', failures), 50);
`;

function namespace(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function pod(ns: string, name: string, nodeName: string, command: readonly string[]): object {
  const containers = [{ name: 'main', image: 'none', command }];
  const metadata = { name, namespace: ns, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName, containers } };
}

function service(ns: string, name: string): object {
  const spec = { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: ns }, spec };
}

/** The last line of a client that says how far it is. */
function progressOf(mesh: LocalMesh, name: string): { readonly answers: number; readonly failures: number } {
  const lines = mesh.log(new RegExp(`^.*_${name}_main`)).match(/answers \d+ failures \d+/g) ?? [];
  const [answers = 0, failures = 0] = lines.at(-1)?.match(/\d+/g)?.map(Number) ?? [];
  return { answers, failures };
}

function proxyOf(mesh: LocalMesh, node: string): number | undefined {
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0');
    } catch {
      // Ended meanwhile.
      return [];
    }
  };
  const pids = mesh.processes().map((line) => line.split(' ')[0] ?? '');
  const found = pids.find(
    (pid) =>
      read(pid, 'cmdline').at(-2) === 'ztunnel' &&
      read(pid, 'cmdline')[0] !== 'nsenter' &&
      read(pid, 'environ').includes(`NODE_NAME=${node}`),
  );
  return found === undefined ? undefined : Number(found);
}

function writeMesh(mesh: LocalMesh): void {
  const crowd = Array.from({ length: SERVICES }, (_, index) => service('crowd', `many-${index}`));
  mesh.write('crowd.yaml', ...crowd);
  mesh.write('namespaces.yaml', namespace('in', { 'istio.io/dataplane-mode': 'ambient' }), namespace('out'));
  mesh.write(
    'servers.yaml',
    pod('in', 'server', 'node2', ['node', '-e', SERVER]),
    service('in', 'server'),
    pod('out', 'open-server', 'node2', ['node', '-e', SERVER]),
  );
}

/** Clients need the address of a server, which is known when it runs. */
function writeClients(mesh: LocalMesh): void {
  const addressOf = (name: string) => mesh.readyPods().find((one) => one.name === name)?.ips[0] ?? '';
  const client = (ns: string, name: string, ...args: readonly string[]) =>
    pod(ns, name, 'node1', ['node', '-e', CLIENT, ...args]);
  mesh.write(
    'clients.yaml',
    client('in', 'by-address', addressOf('server'), '8080', SECRET),
    client('in', 'by-name', 'server.in.svc.cluster.local', '80', SECRET),
    client('out', 'in-the-open', addressOf('open-server'), '8080', PUBLIC),
  );
}

function assertSealed(wire: WireCapture): void {
  assert.ok(!wire.saw(SECRET), 'plaintext of an enrolled pod was on the wire');
}

describe(`a mesh of ${SERVICES} services whose proxy is killed four times`, () => {
  it('never shows on the wire what an enrolled pod says', async () => {
    await using mesh = new LocalMesh();
    writeMesh(mesh);
    await mesh.up(2, '--nodes', '2');
    await using wire = await WireCapture.start({
      netns: `/proc/${mesh.state?.initPid}/ns/net`,
      link: 'node1',
      filter: 'not port 15012',
      markers: [SECRET, PUBLIC],
    });
    writeClients(mesh);
    await eventually('clients in the mesh', () => mesh.readyPods().length === 5);
    const inMesh = ['by-address', 'by-name'];
    const served = async () => {
      const before = inMesh.map((name) => progressOf(mesh, name).answers);
      await eventually('clients are answered', () => {
        assertSealed(wire);
        return inMesh.every((name, index) => progressOf(mesh, name).answers > (before[index] ?? 0) + 50);
      });
    };
    await served();
    let killed = 0;
    // The second blow comes while the proxy learns the mesh, the others while it serves.
    for (const afterMs of [0, 250, 0, 0]) {
      if (afterMs === 0) await served();
      await eventually('a proxy to kill', () => ![undefined, killed].includes(proxyOf(mesh, 'node1')));
      await delay(afterMs);
      const pid = proxyOf(mesh, 'node1');
      assert.ok(pid !== undefined);
      const { failures } = progressOf(mesh, 'by-address');
      process.kill(pid, 'SIGKILL');
      killed = pid;
      await eventually('connections fail', () => progressOf(mesh, 'by-address').failures > failures);
    }
    await served();
    assert.equal(await wire.stop(), 0, 'packets were missed');
    assert.ok(wire.saw(PUBLIC), 'the capture sees what is there');
    assertSealed(wire);
  });
});
