/**
 * The programs at both ends of the bench, run inside the pods: `echo PORT`, `sink PORT`, `source PORT`, and the load
 * generators that print one line of JSON. Closed loop: each connection has one request outstanding.
 *
 * Run: NODE bench/l4/traffic.ts tunnels HOST PORT PARALLEL SECONDS [COUNT]
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

const BULK_CHUNK = Buffer.alloc(256 * 1024, 0x62);

function serve(port: number, onConnection: (socket: Socket) => void): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    onConnection(socket);
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

function echo(socket: Socket): void {
  socket.on('data', (chunk: Buffer) => {
    if (socket.write(chunk)) return;
    socket.pause();
    socket.once('drain', () => socket.resume());
  });
}

/** Sends for as long as somebody takes it. */
function pour(socket: Socket): void {
  const pump = () => {
    while (socket.writable && socket.write(BULK_CHUNK));
    if (socket.writable) socket.once('drain', pump);
  };
  socket.resume();
  socket.on('end', () => socket.destroy());
  pump();
}

/** Connect, one byte there and back, close; `parallel` at a time, until the time or `most` are over. */
async function tunnels(
  host: string,
  port: number,
  parallel: number,
  seconds: number,
  most = Number.POSITIVE_INFINITY,
): Promise<object> {
  let begun = 0;
  let count = 0;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const one = async () => {
    while (performance.now() < endMs && begun < most) {
      begun++;
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

/** As many bytes as come in the time, over `streams` connections. */
async function download(host: string, port: number, streams: number, seconds: number): Promise<object> {
  let read = 0;
  const startMs = performance.now();
  const sockets = await Promise.all(Array.from({ length: streams }, () => connect(host, port)));
  for (const socket of sockets) {
    socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const elapsedMs = performance.now() - startMs;
  for (const socket of sockets) socket.destroy();
  return { count: read / 1e9, gigabitsPerSecond: (read * 8) / elapsedMs / 1e6 };
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

const [command = '', first = '', second = '', third = '1', fourth = '1', fifth] = process.argv.slice(2);
const port = Number(second);
const print = (result: object) => process.stdout.write(`${JSON.stringify(result)}\n`);
const most = fifth === undefined ? undefined : Number(fifth);
if (command === 'echo') serve(Number(first), echo);
else if (command === 'sink') serve(Number(first), (socket) => void socket.resume());
else if (command === 'source') serve(Number(first), pour);
else if (command === 'tunnels') print(await tunnels(first, port, Number(third), Number(fourth), most));
else if (command === 'bulk') print(await bulk(first, port, Number(third), Number(fourth)));
else if (command === 'download') print(await download(first, port, Number(third), Number(fourth)));
else if (command === 'idle') await idle(first, port, Number(third));
else throw new Error(`unknown command ${command}`);
