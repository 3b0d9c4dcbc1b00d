/** Programs inside pods: an echo server that says whom it sees, and clients. Sockets are opened by the addon. */
import type { Socket } from 'node:net';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import type { LabPod } from './netns.ts';

export interface EchoServer extends AsyncDisposable {
  readonly connections: number;
}

/** Answers every chunk with `<peer address>: <chunk>` on all addresses of the pod. */
export async function serveEcho(pod: LabPod, port: number): Promise<EchoServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const listener = await listenTcp(
    { endpoint: { address: '::', port }, netnsFd: pod.fd },
    {
      onConnection: (connection) => {
        connections++;
        const socket = connection.open();
        sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => sockets.delete(socket));
        socket.on('data', (chunk: Buffer) => socket.write(`${connection.peer.address}: ${chunk.toString()}`));
        socket.on('end', () => socket.end());
      },
    },
  );
  return {
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Connects from the pod. */
export function connectFrom(pod: LabPod, address: string, port: number): Promise<Socket> {
  return dialTcp({ destination: { address, port }, netnsFd: pod.fd, timeoutMs: 5000 });
}

/** Sends a text from the pod, ends its side, and resolves with everything that came back. */
export async function echoOnce(pod: LabPod, address: string, port: number, text: string): Promise<string> {
  const socket = await connectFrom(pod, address, port);
  return new Promise((resolve, reject) => {
    let received = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.end(text);
  });
}

/** Resolves when the other side ended the connection, by FIN or RST. */
export function untilEnded(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  socket.resume();
  return new Promise((resolve) => {
    socket.on('close', () => resolve());
    socket.on('end', () => {
      socket.destroy();
      resolve();
    });
  });
}
