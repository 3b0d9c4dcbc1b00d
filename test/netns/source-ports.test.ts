import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { closeFd, openTcpSocket } from '../../src/native/sockets.ts';
import { portsOutside, readPortRange, SourcePorts } from '../../src/net/source-ports.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp, type TcpListener } from '../../src/net/tcp-listener.ts';
import { eventually } from '../helpers/eventually.ts';
import { enterPrivateNetns, type LabPod, NetnsLab } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const CLIENT = '10.99.0.9';
const MARK = 0x539;

describe('connections with the address of a client', () => {
  const lab = new NetnsLab();
  const ports = portsOutside(readPortRange());
  const outside = new Set(Array.from({ length: ports.length }, (_, index) => ports.at(index)));
  let pod: LabPod;
  let listener: TcpListener;
  let seen: number[] = [];

  before(async () => {
    pod = lab.addPod('server');
    // As the redirection does: what the server answers to the client's address comes back to ztunnel.
    for (const args of [
      ['rule', 'add', 'from', pod.ipv4, 'to', `${CLIENT}/32`, 'lookup', '100', 'pref', '10'],
      ['route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', '100'],
    ]) {
      pod.exec('ip', ...args);
    }
    listener = await listenTcp(
      { endpoint: { address: '0.0.0.0', port: 8080 }, netnsFd: pod.fd },
      {
        onConnection: (connection) => {
          seen.push(connection.peer.port);
          const socket = connection.open();
          socket.on('error', () => socket.destroy());
          socket.on('end', () => socket.end());
          socket.resume();
        },
      },
    );
  });
  after(() => {
    listener.close();
    lab[Symbol.dispose]();
  });

  const dialer = (ports: SourcePorts) => (): Promise<Socket> =>
    dialTcp(
      { destination: { address: pod.ipv4, port: 8080 }, netnsFd: pod.fd, mark: MARK, spoofedSource: CLIENT },
      { sourcePorts: () => ports.candidates() },
    );
  const closed = async (socket: Socket) => {
    const end = once(socket, 'close');
    socket.resume();
    socket.end();
    await end;
  };

  it('come from ports that no program is given for its own', async () => {
    seen = [];
    const dial = dialer(new SourcePorts(readPortRange(), () => 0.3));
    for (let count = 0; count < 100; count++) await closed(await dial());
    assert.equal(seen.length, 100);
    assert.ok(seen.every((port) => outside.has(port)));
  });

  it('leave their port to a program that comes to listen on it', async () => {
    seen = [];
    const socket = await dialer(new SourcePorts(readPortRange(), () => 0.7))();
    await eventually('it is accepted', () => seen.length === 1);
    const bind = { address: '0.0.0.0', port: seen[0] ?? 0 };
    closeFd(openTcpSocket({ family: 4, netnsFd: pod.fd, bind, listenBacklog: 1 }));
    await closed(socket);
  });

  it('are 2,000 at a time, and 20,000 one after the other, to one port of one server', async () => {
    const dial = dialer(new SourcePorts(readPortRange(), Math.random));
    seen = [];
    const open = await Promise.all(Array.from({ length: 2000 }, dial));
    await eventually('all of them are accepted', () => seen.length === 2000);
    assert.equal(new Set(seen).size, 2000);
    await Promise.all(open.map(closed));
    // More than the ports outside hold while closed connections still block them: the kernel chooses the others.
    for (let count = 0; count < 20_000; count++) await closed(await dial());
    await eventually('all of them are accepted', () => seen.length === 22_000);
  });
});
