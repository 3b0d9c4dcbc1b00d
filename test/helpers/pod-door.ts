/** TCP connections from inside a pod of `ambit up` that the test itself reads and writes, byte by byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { LocalMesh } from './local-mesh.ts';

/**
 * Runs in the pod: whoever connects to the Unix socket writes `host port` and a line end, reads a line with `ok` or why
 * not, and has the connection from then on.
 */
const DOOR = `
const net = require('net');
require('fs').rmSync(process.argv[1], { force: true });
net.createServer({ allowHalfOpen: true }, (inside) => {
  let head = Buffer.alloc(0);
  const read = (chunk) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(10);
    if (end < 0) return;
    inside.off('data', read).pause();
    const [host, port] = head.toString('latin1', 0, end).split(' ');
    const outside = net.connect({ host, port: Number(port), allowHalfOpen: true });
    let isOpen = false;
    outside.on('connect', () => {
      isOpen = true;
      inside.write('ok\\n');
      outside.write(head.subarray(end + 1));
      inside.pipe(outside);
      outside.pipe(inside);
    });
    outside.on('error', (error) => isOpen ? inside.destroy() : inside.end(error.code + '\\n'));
    outside.on('close', () => isOpen && inside.destroySoon());
    inside.on('error', () => outside.destroy()).on('close', () => outside.destroy());
  };
  inside.on('data', read).on('error', () => 0);
}).listen(process.argv[1], () => require('fs').chmodSync(process.argv[1], 0o777));`;

/** The command of a pod that has such a door. */
export function doorCommand(mesh: LocalMesh, pod: string): readonly string[] {
  return ['node', '-e', DOOR, doorPath(mesh, pod)];
}

function doorPath(mesh: LocalMesh, pod: string): string {
  return join(mesh.manifests, '..', `${pod}.sock`);
}

/** A connection from the pod; either side may be ended alone. Rejects with the code when there is none. */
export async function dialFrom(mesh: LocalMesh, pod: string, host: string, port: number): Promise<Socket> {
  const socket = connect({ path: doorPath(mesh, pod), allowHalfOpen: true });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  socket.write(`${host} ${port}\n`);
  let line = '';
  while (!line.endsWith('\n')) {
    const byte: Buffer | null = socket.read(1);
    if (byte !== null) line += byte.toString('latin1');
    else if (socket.readableEnded || socket.destroyed) throw new Error('the door is closed');
    else await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
  }
  if (line === 'ok\n') return socket;
  socket.destroy();
  throw new Error(line.trim());
}
