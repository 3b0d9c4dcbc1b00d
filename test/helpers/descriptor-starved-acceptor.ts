/**
 * Accepts with few descriptors left (run it under `ulimit -n`): connects more often than it can accept, frees the
 * descriptors, and connects once more. Prints what happened as JSON.
 */
import { connect, type Socket } from 'node:net';
import { Acceptor } from '../../src/native/acceptor.ts';
import type { AcceptedRecord } from '../../src/native/addon.ts';
import { closeFd, localEndpoint, openTcpSocket } from '../../src/native/sockets.ts';
import { eventually } from './eventually.ts';

const accepted: AcceptedRecord[] = [];
const errors: string[] = [];
const bind = { address: '127.0.0.1', port: 0 };
const listenFd = openTcpSocket({ family: 4, bind, listenBacklog: 128 });
const { port } = localEndpoint(listenFd);
const acceptor = new Acceptor(
  listenFd,
  {},
  {
    onAccept: (batch) => accepted.push(...batch),
    onError: (error) => errors.push('code' in error ? `${error.code}` : ''),
  },
);

// Client and server share the limit: hold the clients' half back until accepting starts.
const clients: Socket[] = [];
let refused = 0;
const open = () => {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  socket.on('close', () => refused++);
  clients.push(socket);
};
const CLIENTS = Number(process.argv[2]);
for (let index = 0; index < CLIENTS; index++) open();
await eventually('clients are connected', () => clients.every((socket) => !socket.connecting));
acceptor.resume();
await eventually('descriptors ran out', () => errors.length > 0);
await eventually('one connection was refused', () => refused > 0);
const before = accepted.length;
for (const record of accepted) closeFd(record.fd);
for (const socket of clients) socket.destroy();
await eventually('clients are gone', () => refused >= CLIENTS);
const seen = accepted.length;
open();
await eventually('accepting goes on', () => accepted.length > seen);
console.log(JSON.stringify({ before, errors: [...new Set(errors)] }));
process.exit(0);
