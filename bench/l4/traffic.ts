/**
 * The programs at both ends of the bench, run inside the pods: `echo PORT`, `sink PORT`, and the load generators that
 * print one line of JSON. Closed loop: each connection has one request outstanding.
 *
 * Run: NODE bench/l4/traffic.ts tunnels HOST PORT PARALLEL SECONDS
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

const BULK_CHUNK = Buffer.alloc(256 * 1024, 0x62);

function serve(port: number, onData: (socket: Socket, chunk: Buffer) => void): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => onData(socket, chunk));
  });
  server.listen(port, '::', 4096, () => process.stdout.write('ready\n'));
}

function connect(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

/** Connect, one byte there and back, close; `parallel` at a time. */
async function tunnels(host: string, port: number, parallel: number, seconds: number): Promise<object> {
  let count = 0;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const one = async () => {
    while (performance.now() < endMs) {
      const socket = await connect(host, port);
      await new Promise<void>((resolve) => {
        socket.once('data', () => {
          count++;
          socket.destroy();
        });
        socket.once('close', () => resolve());
        socket.write('x');
      });
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  return { count, perSecond: (count / (performance.now() - startMs)) * 1000 };
}

/** As many bytes as go through in the time, over `streams` connections. */
async function bulk(host: string, port: number, streams: number, seconds: number): Promise<object> {
  const sockets = await Promise.all(Array.from({ length: streams }, () => connect(host, port)));
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let written = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          const pump = () => {
            while (performance.now() < endMs) {
              written += BULK_CHUNK.length;
              if (!socket.write(BULK_CHUNK)) {
                socket.once('drain', pump);
                return;
              }
            }
            socket.end();
          };
          socket.resume();
          socket.on('close', () => resolve());
          pump();
        }),
    ),
  );
  const elapsedMs = performance.now() - startMs;
  return { count: written / 1e9, gigabitsPerSecond: (written * 8) / elapsedMs / 1e6 };
}

/** Opens `count` connections that have moved one byte each, says so, and holds them until the input ends. */
async function idle(host: string, port: number, count: number): Promise<void> {
  const sockets: Socket[] = [];
  for (let opened = 0; opened < count; opened += 50) {
    const batch = await Promise.all(Array.from({ length: Math.min(50, count - opened) }, () => connect(host, port)));
    await Promise.all(
      batch.map(
        (socket) =>
          new Promise((resolve) => {
            socket.once('data', resolve);
            socket.write('x');
          }),
      ),
    );
    sockets.push(...batch);
  }
  process.stdout.write('ready\n');
  process.stdin.resume();
  process.stdin.on('end', () => {
    for (const socket of sockets) socket.destroy();
    process.exit(0);
  });
}

const [command = '', first = '', second = '', third = '1', fourth = '1'] = process.argv.slice(2);
const port = Number(second);
const print = (result: object) => process.stdout.write(`${JSON.stringify(result)}\n`);
if (command === 'echo') {
  serve(Number(first), (socket, chunk) => {
    if (socket.write(chunk)) return;
    socket.pause();
    socket.once('drain', () => socket.resume());
  });
} else if (command === 'sink') serve(Number(first), () => undefined);
else if (command === 'tunnels') print(await tunnels(first, port, Number(third), Number(fourth)));
else if (command === 'bulk') print(await bulk(first, port, Number(third), Number(fourth)));
else if (command === 'idle') await idle(first, port, Number(third));
else throw new Error(`unknown command ${command}`);
