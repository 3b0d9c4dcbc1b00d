import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openTcpSocket } from '../../src/native/sockets.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';
import { queryBytes } from '../helpers/dns-query.ts';
import { eventually } from '../helpers/eventually.ts';
import { MeshLab } from '../helpers/mesh-lab.ts';
import { enterPrivateNetns, type LabPod } from '../helpers/netns.ts';
import { connectFrom, echoOnce, serveEcho, untilEnded } from '../helpers/pod-traffic.ts';

enterPrivateNetns(import.meta.url);

/** One request on a connection that is open. */
function ask(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    socket.write(text);
  });
}

/** Connects from a port of the pod. */
async function connectFromPort(pod: LabPod, port: number, address: string, to: number): Promise<Socket> {
  const fd = openTcpSocket({ family: 4, netnsFd: pod.fd, bind: { address: pod.ipv4, port } });
  const socket = new Socket({ fd, readable: true, writable: true, manualStart: true } as object);
  const connected = once(socket, 'connect');
  socket.connect({ host: address, port: to });
  await connected;
  return socket;
}

describe('a running pod', () => {
  it('that joins keeps its open connections, in and out, and sends new ones through ztunnel', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    assert.equal(await ask(open, '1'), `${client.ipv4}: 1`);
    for (const pod of [server, client]) await mesh.enrol(pod, pod.workload, true);
    for (const text of ['2', '3']) assert.equal(await ask(open, text), `${client.ipv4}: ${text}`);
    assert.equal(mesh.log.length, 0, 'ztunnel has carried nothing');
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    await eventually('the access log', () => mesh.log.some((line) => line.includes('src.workload="client"')));
    open.destroy();
  });

  it('loses those connections when their time is over, on both sides', async () => {
    await using mesh = await MeshLab.start({ agentEnvironment: { AMBIT_JOIN_DRAIN: '300ms' } });
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    assert.equal(await ask(open, '1'), `${client.ipv4}: 1`);
    const ended = untilEnded(open);
    await mesh.enrol(server, server.workload, true);
    await ended;
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    assert.doesNotMatch(server.exec('iptables-save'), /tcp-flags/);
  });

  it('that leaves keeps those that ztunnel carries until they end, and sends new ones past it', async () => {
    await using mesh = await MeshLab.start({ agentEnvironment: { AMBIT_LEAVE_DRAIN: '30s' } });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    assert.equal(await ask(open, '1'), `${client.ipv4}: 1`);
    await mesh.withdraw(client);
    assert.equal(await ask(open, '2'), `${client.ipv4}: 2`);
    const lines = mesh.log.length;
    assert.equal(await echoOnce(client, server.ipv4, 8080, 'x'), `${client.ipv4}: x`);
    assert.equal(mesh.log.length, lines, 'ztunnel did not see the new connection');
    open.end();
    await eventually('nothing of the mesh to be left', () => !/ISTIO/.test(client.exec('iptables-save')));
  });

  it('that joins again keeps a plaintext connection from a port that ztunnel had served', async () => {
    await using mesh = await MeshLab.start();
    const client = await mesh.addPod('client');
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    const from = 40_000;
    await mesh.enrol(client, client.workload, true);
    const carried = await connectFromPort(client, from, server.ipv4, 8080);
    assert.equal(await ask(carried, '1'), `${client.ipv4}: 1`);
    // A reset leaves the port free at once, and the entry of connection tracking for ten seconds.
    carried.resetAndDestroy();
    await mesh.withdraw(client);
    const plain = await connectFromPort(client, from, server.ipv4, 8080);
    assert.equal(await ask(plain, '2'), `${client.ipv4}: 2`);
    await mesh.enrol(client, client.workload, true);
    assert.equal(await ask(plain, '3'), `${client.ipv4}: 3`);
    plain.destroy();
  });

  it('has no query refused when it leaves, though all come from a port that ztunnel has answered', async () => {
    await using mesh = await MeshLab.start({
      agentEnvironment: { AMBIT_LEAVE_DRAIN: '5s' },
      env: { AMBIT_RESOLV_CONF: '/dev/null' },
    });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server', { enrolled: true });
    // A rule of somebody else keeps connection tracking and address translation at work without the mesh's rules.
    client.exec('sh', '-c', 'iptables -t nat -A OUTPUT -p tcp -m conntrack --ctstate NEW -j RETURN');
    const nameServer = await bindUdp({ endpoint: { address: server.ipv4, port: 53 }, netnsFd: server.fd });
    nameServer.on('message', (query, { address, port }) => nameServer.send(query, port, address));
    const socket = await bindUdp({ endpoint: { address: client.ipv4, port: 40_001 }, netnsFd: client.fd });
    const refusals: Error[] = [];
    const refuse = (error: Error | null) => error !== null && refusals.push(error);
    let answers = 0;
    socket.on('error', refuse);
    socket.on('message', () => answers++);
    socket.connect(53, server.ipv4);
    await once(socket, 'connect');
    const asking = setInterval(() => socket.send(queryBytes('server.default.svc.cluster.local'), refuse), 2);
    try {
      await delay(100);
      await mesh.withdraw(client);
      await eventually('nothing of the mesh to be left', () => !/ISTIO/.test(client.exec('iptables-save')));
      const before = answers;
      await eventually('answers of the name server', () => answers > before + 50);
    } finally {
      clearInterval(asking);
      socket.close();
      nameServer.close();
    }
    assert.deepEqual(refusals, []);
  });

  it('is cut when it leaves and its connections do not end', async () => {
    await using mesh = await MeshLab.start({ agentEnvironment: { AMBIT_LEAVE_DRAIN: '500ms' } });
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using _echo = await serveEcho(server, 8080);
    const open = await connectFrom(client, server.ipv4, 8080);
    assert.equal(await ask(open, '1'), `${client.ipv4}: 1`);
    const ended = untilEnded(open);
    await mesh.withdraw(client);
    await ended;
  });
});
