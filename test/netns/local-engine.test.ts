import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh, lives, machineFootprint } from '../helpers/local-mesh.ts';

const MODE = 'istio.io/dataplane-mode';
/** Answers every connection with its own name and the port it listens on, over IPv4 and IPv6. */
const SERVER = `require('net').createServer((s) => { s.on('error', () => 0); s.end(process.env.POD + ' ' + process.env.FROM); }).listen(8080, '::')`;
/** Connects to each address of a name several times, prints the addresses and the distinct answers. */
const CLIENT = `
const net = require('net'), dns = require('dns');
const [host, port, times] = process.argv.slice(1);
const once = (address) => new Promise((resolve) => {
  let text = '';
  const s = net.connect(Number(port), address);
  s.setTimeout(3000, () => s.destroy());
  s.on('data', (d) => text += d).on('error', (e) => text = e.code).on('close', () => resolve(text));
});
dns.lookup(host, { all: true }, async (error, found) => {
  if (error) { console.log(error.code); process.exit(3); }
  for (const { address, family } of found) {
    const answers = new Set();
    for (let i = 0; i < Number(times); i++) answers.add(await once(address));
    console.log(family, [...answers].sort().join(','));
  }
});`;

function namespace(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function deployment(name: string, replicas: number, from: string): object {
  const env = [
    { name: 'FROM', value: from },
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ];
  const container = {
    name: 'main',
    image: 'none',
    command: ['node', '-e', SERVER],
    env,
    ports: [{ name: 'web', containerPort: 8080 }],
    readinessProbe: { tcpSocket: { port: 'web' }, periodSeconds: 1 },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'in' },
    spec: {
      replicas,
      template: { metadata: { labels: { app: name } }, spec: { serviceAccountName: name, containers: [container] } },
    },
  };
}

function service(name: string, fields: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'in' },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 'web' }], ...fields },
  };
}

function pod(name: string, node: string, command: readonly string[]): object {
  const containers = [{ name: 'main', image: 'none', command }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'out' }, spec: { nodeName: node, containers } };
}

const DUAL = { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] };

function writeManifests(mesh: LocalMesh): void {
  mesh.write('namespaces.yaml', namespace('in'), namespace('out'));
  mesh.write('echo.yaml', deployment('echo', 2, 'first'), service('echo', DUAL));
  mesh.write('out.yaml', pod('one', 'node1', ['sleep', 'infinity']), pod('two', 'node2', ['sleep', 'infinity']));
}

async function ask(mesh: LocalMesh, from: readonly string[], host: string, times = 24): Promise<string[]> {
  const { stdout, stderr } = await mesh.exec(...from, '--', 'node', '-e', CLIENT, host, '80', String(times));
  return `${stdout}${stderr}`.trim().split('\n').sort();
}

describe('ambit up as root', () => {
  const mesh = new LocalMesh();
  const footprint = machineFootprint();
  const one = ['-n', 'out', 'one'];
  const two = ['-n', 'out', 'two'];
  const echoes = () => mesh.readyPods().filter(({ deployment: name }) => name === 'echo');
  const names = () => echoes().map(({ name }) => name);

  before(async () => {
    writeManifests(mesh);
    await mesh.up(4, '--nodes', '2');
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('spreads replicas over the nodes and keeps pinned pods where they are pinned', () => {
    assert.deepEqual(
      echoes()
        .map(({ node }) => node)
        .sort(),
      ['node1', 'node2'],
    );
    const pinned = mesh.readyPods().filter(({ namespace: name }) => name === 'out');
    assert.deepEqual(pinned.map(({ name, node }) => `${name} ${node}`).sort(), ['one node1', 'two node2']);
  });

  it('runs a command in a pod and passes its exit status on', async () => {
    const { status, stdout } = await mesh.exec(...one, '--', 'sh', '-c', 'cat /etc/hostname; exit 7');
    assert.deepEqual({ status, stdout }, { status: 7, stdout: 'one\n' });
    const missing = await mesh.exec('-n', 'out', 'three', '--', 'true');
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /there are: one, two/);
  });

  it('reaches every endpoint behind a virtual address from outside the mesh, on both nodes and in both families', async () => {
    const expected = names()
      .map((name) => `${name} first`)
      .sort()
      .join(',');
    for (const from of [one, two])
      assert.deepEqual(await ask(mesh, from, 'echo.in'), [`4 ${expected}`, `6 ${expected}`]);
  });

  it('lets a pod reach itself behind a virtual address', async () => {
    const [name = ''] = names();
    const answers = await ask(mesh, ['-n', 'in', name], 'echo');
    assert.equal(answers.length, 2);
    for (const answer of answers) assert.ok(answer.includes(name), answer);
  });

  it('answers no name that does not exist', async () => {
    assert.deepEqual(await ask(mesh, one, 'nobody.in'), ['ENOTFOUND']);
  });

  it('starts a container again when it has ended', async () => {
    mesh.write('crash.yaml', pod('crash', 'node1', ['sh', '-c', 'echo here I am; exit 3']));
    await eventually('container restarted', () => (mesh.log(/^out_crash_main/).match(/here I am/g) ?? []).length >= 2);
    assert.match(mesh.log(/^out_crash_main/), /container ended \(status 3\)/);
    const shown = mesh.output.match(/out\/crash\/main ended \(status 3\)/g) ?? [];
    assert.equal(shown.length, 1, 'the user hears of it once');
    const [container] = mesh.state?.pods.find(({ name }) => name === 'crash')?.containers ?? [];
    assert.equal(container?.lastExit, 'status 3');
    mesh.remove('crash.yaml');
    await eventually('removed pod gone', () => mesh.state?.pods.every(({ name }) => name !== 'crash') === true);
  });

  it('says once what it refuses in a file, and that it accepts the file again', async () => {
    const broken = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'bad', namespace: 'out' },
      spec: { ports: 7 },
    };
    const lines = (word: string) =>
      mesh.output.split('\n').filter((line) => new RegExp(`^${word}: .*bad\\.yaml`).test(line));
    mesh.write('bad.yaml', broken);
    await eventually('the error', () => lines('refused').length === 1);
    assert.equal(lines('accepted again').length, 0);
    mesh.write('bad.yaml', { ...broken, spec: { ports: [{ port: 7 }] } });
    await eventually('the good news', () => lines('accepted again').length === 1);
    mesh.remove('bad.yaml');
  });

  it('takes running pods into the mesh and out of it by the label of their namespace', async () => {
    const pids = echoes().map(({ pid }) => pid);
    mesh.write('namespaces.yaml', namespace('in', { [MODE]: 'ambient' }), namespace('out', { [MODE]: 'ambient' }));
    await eventually('pods in the mesh', () => mesh.readyPods().filter(({ enrolled }) => enrolled).length === 4);
    assert.deepEqual(
      echoes().map(({ pid }) => pid),
      pids,
    );
    const log = () => mesh.log(/^node\d_ztunnel/);
    const identified = () =>
      /src\.identity="spiffe:\/\/cluster\.local\/ns\/out\/sa\/default".*dst\.identity="spiffe:\/\/cluster\.local\/ns\/in\/sa\/echo"/.test(
        log(),
      );
    await eventually('identities seen', async () => {
      await ask(mesh, one, 'echo.in', 2);
      return identified();
    });
    const all = names()
      .map((name) => `${name} first`)
      .sort()
      .join(',');
    for (const from of [one, two]) assert.deepEqual(await ask(mesh, from, 'echo.in'), [`4 ${all}`, `6 ${all}`]);
    mesh.write('namespaces.yaml', namespace('in'), namespace('out'));
    await eventually('pods out of the mesh', () => mesh.readyPods().filter(({ enrolled }) => !enrolled).length === 4);
    const expected = names()
      .map((name) => `${name} first`)
      .sort()
      .join(',');
    await eventually('both endpoints answer', async () => (await ask(mesh, one, 'echo.in'))[0] === `4 ${expected}`);
  });

  it('starts no container of an enrolled pod before the pod is in the mesh', async () => {
    mesh.write('namespaces.yaml', namespace('in', { [MODE]: 'ambient' }), namespace('out'));
    mesh.write('early.yaml', deployment('early', 1, 'x'));
    await eventually('early pod ready', () => mesh.readyPods().some(({ deployment: name }) => name === 'early'));
    assert.ok(mesh.readyPods().find(({ deployment: name }) => name === 'early')?.enrolled);
    mesh.remove('early.yaml');
    await eventually(
      'early pod gone',
      () => mesh.state?.pods.every(({ deployment: name }) => name !== 'early') === true,
    );
  });

  it('starts agent and proxy again when they die, with the pods in the mesh as before', async () => {
    await eventually('pods in the mesh', () => echoes().length === 2 && echoes().every(({ enrolled }) => enrolled));
    // While programs come back, pods may be unready for a moment.
    const expected = names()
      .map((name) => `${name} first`)
      .sort()
      .join(',');
    for (const role of ['agent', 'ztunnel']) {
      const script = `for p in /proc/[0-9]*; do if tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q 'ambit.js ${role} $'; then kill -9 $(basename $p); fi; done`;
      await mesh.exec('--node', 'node1', '--', 'sh', '-c', script);
      await eventually('program restarted', () => new RegExp(`node1/${role}.*SIGKILL`).test(mesh.log(/^up/)));
      await eventually('both endpoints answer', async () => (await ask(mesh, one, 'echo.in'))[0] === `4 ${expected}`);
    }
  });

  it('replaces the replicas of a changed template', async () => {
    const former = names();
    mesh.write('echo.yaml', deployment('echo', 2, 'second'), service('echo', DUAL));
    await eventually('replicas replaced', () => {
      const present = mesh.state?.pods.filter(({ deployment: name }) => name === 'echo') ?? [];
      return present.length === 2 && present.every(({ name, ready }) => ready && !former.includes(name));
    });
    const expected = names()
      .map((name) => `${name} second`)
      .sort()
      .join(',');
    await eventually('new replicas answer', async () => (await ask(mesh, two, 'echo.in'))[0] === `4 ${expected}`);
  });

  it('sends UDP to an endpoint behind a virtual address as well', async () => {
    const server = `require('dgram').createSocket('udp4').on('message', function (m, r) { this.send('udp ' + m, r.port, r.address); }).bind(5300)`;
    const client = `const s = require('dgram').createSocket('udp4'); s.on('message', (m) => { console.log(String(m)); s.close(); }); s.connect(53, 'udp.in', () => s.send('hi')); setTimeout(() => process.exit(1), 3000).unref();`;
    const containers = [
      { name: 'main', image: 'none', command: ['node', '-e', server], ports: [{ containerPort: 5300 }] },
    ];
    const labels = { app: 'udp' };
    mesh.write(
      'udp.yaml',
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'udp', namespace: 'in', labels }, spec: { containers } },
      service('udp', { ports: [{ port: 53, targetPort: 5300, protocol: 'UDP' }] }),
    );
    const said: string[] = [];
    await eventually('an answer by UDP', async () => {
      said.push((await mesh.exec(...two, '--', 'node', '-e', client)).stdout);
      return said.at(-1) === 'udp hi\n';
    });
  });

  it('refuses to start a second time under the same name', async () => {
    const { status, stderr } = await mesh.ambit(['up', mesh.manifests, '--name', 'test']);
    assert.equal(status, 1);
    assert.match(stderr, /up in .* already/);
  });

  it('leaves no process, mount, link, namespace or folder when it is killed', async () => {
    const processes = mesh.processes();
    assert.ok(processes.length > 8, `only ${processes.length} processes found`);
    assert.equal(await mesh.end('SIGKILL'), 'SIGKILL');
    await eventually('no process left', () => !processes.some(lives));
    await eventually('no folder left', () => !existsSync(mesh.run.path));
    assert.equal(machineFootprint(), footprint);
  });
});

describe('ambit up without privileges', () => {
  it('runs a mesh in a user namespace and leaves nothing when it is stopped', async () => {
    const footprint = machineFootprint();
    await using mesh = new LocalMesh({ unprivileged: true });
    writeManifests(mesh);
    mesh.write('namespaces.yaml', namespace('in', { [MODE]: 'ambient' }), namespace('out', { [MODE]: 'ambient' }));
    await mesh.up(4, '--nodes', '2');
    assert.equal(mesh.state?.userNamespace, true);
    assert.ok(mesh.readyPods().every(({ enrolled }) => enrolled));
    const echoes = mesh.readyPods().filter(({ deployment: name }) => name === 'echo');
    const expected = echoes
      .map(({ name }) => `${name} first`)
      .sort()
      .join(',');
    for (const name of ['one', 'two']) {
      assert.deepEqual(await ask(mesh, ['-n', 'out', name], 'echo.in'), [`4 ${expected}`, `6 ${expected}`]);
    }
    const processes = mesh.processes();
    assert.equal(await mesh.end('SIGTERM'), 0);
    await eventually('no process left', () => !processes.some(lives));
    assert.ok(!existsSync(mesh.run.path));
    assert.equal(machineFootprint(), footprint);
  });
});
