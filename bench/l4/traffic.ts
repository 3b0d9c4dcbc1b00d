/**
 * Connections without a protocol, run inside the pods: `echo PORT`, and what opens connections to it. `tunnels` and `idle`
 * say what came of it as one line of JSON, or that they are ready.
 *
 * Run: NODE bench/l4/traffic.ts tunnels HOST PORT PARALLEL SECONDS [COUNT]
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

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
      await new Promise<void>((resolve, reject) => {
        socket.once('data', () => {
          count++;
          resolve();
          socket.destroy();
        });
        socket.once('close', () => reject(new Error('a tunnel closed before its byte came back')));
        socket.write('x');
      });
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  return { count, perSecond: (count / (performance.now() - startMs)) * 1000 };
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
else if (command === 'tunnels') print(await tunnels(first, port, Number(third), Number(fourth), most));
else if (command === 'idle') await idle(first, port, Number(third));
else throw new Error(`unknown command ${command}`);
