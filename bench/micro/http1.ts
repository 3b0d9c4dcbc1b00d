/**
 * An echo server on the HTTP/1 codec against one on node:http: requests a second and CPU per request of the server's
 * process. The client is another process with a minimal codec of its own. Run: NODE bench/micro/http1.ts
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { Http1ServerConnection } from '../../src/http1/server-connection.ts';
import { type PausableTransport, pausableTransport } from '../../src/http1/transport.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { INTAKE_BYTES, SocketIntake } from '../../src/http2/socket-intake.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';

const RUN_MS = Number(process.env['RUN_MS'] ?? 4000);
/** Taken in turn, so that what else the machine does hits both. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const CONNECTIONS = Number(process.env['CONNECTIONS'] ?? 16);
const BODY = Buffer.alloc(1024, 0x61);
const REQUEST = Buffer.concat([
  Buffer.from(
    'POST /echo?x=1 HTTP/1.1\r\nhost: echo.default.svc.cluster.local\r\nuser-agent: bench/1.0\r\naccept: */*\r\n' +
      'content-type: application/octet-stream\r\nx-request-id: 4f1c6a0e-8a43-4a3e-9c39-5f7f2f0f6a51\r\n' +
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\ncontent-length: 1024\r\n\r\n',
  ),
  BODY,
]);

async function serveOwn(): Promise<number> {
  const pool = new BlockPool();
  const buffer = Buffer.allocUnsafeSlow(INTAKE_BYTES);
  const listener = await listenTcp(
    { endpoint: { address: '127.0.0.1', port: 0 } },
    {
      onConnection(connection) {
        const intake = new SocketIntake(buffer);
        serveConnection(pausableTransport(connection.open(intake.onread), intake), pool);
      },
    },
  );
  return listener.endpoint.port;
}

function serveConnection(transport: PausableTransport, pool: BlockPool): void {
  new Http1ServerConnection(
    transport,
    { clock: systemClock, pool, scheme: 'http' },
    {
      onRequest(_stream, headers) {
        const length = headers.find(([name]) => name === 'content-length')?.[1] ?? '0';
        return {
          onHeaders: nothing,
          onData(stream, chunk) {
            if (stream.state === 'open' && chunk.length > 0) answer(stream, length);
            stream.write(chunk);
            stream.consume(chunk.length);
          },
          onEnd: (stream) => stream.end(),
          onClosed: nothing,
          onWritable: nothing,
        };
      },
      onClosed: nothing,
    },
  );
}

function answer(stream: { respond(headers: readonly (readonly [string, string])[]): boolean }, length: string): void {
  stream.respond([
    [':status', '200'],
    ['content-type', 'application/octet-stream'],
    ['content-length', length],
    ['server', 'echo'],
  ]);
}

function serveNode(): Promise<number> {
  const server = createHttpServer((request, response) => {
    response.sendDate = false;
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': request.headers['content-length'] ?? '0',
      server: 'echo',
    });
    request.on('data', (chunk: Buffer) => response.write(chunk));
    request.on('end', () => response.end());
  });
  return listen(server);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function nothing(): void {
  // Of no interest here.
}

async function load(port: number): Promise<number> {
  let count = 0;
  let until = Number.POSITIVE_INFINITY;
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let wanted = 0;
    let got = 0;
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      // All responses are alike: the first says how long one is.
      if (wanted === 0) {
        const head = chunk.indexOf('\r\n\r\n');
        if (head < 0) return;
        wanted = head + 4 + BODY.length + (chunk.includes('chunked', 0, 'latin1') ? 11 : 0);
      }
      if (got < wanted) return;
      got = 0;
      count += 1;
      if (performance.now() < until) socket.write(REQUEST);
    });
    socket.on('connect', () => socket.write(REQUEST));
    return socket;
  });
  until = performance.now() + RUN_MS;
  await new Promise((resolve) => setTimeout(resolve, RUN_MS + 50));
  for (const socket of sockets) socket.destroy();
  return count;
}

async function child(kind: string): Promise<void> {
  const port = await (kind === 'own' ? serveOwn() : serveNode());
  process.send?.({ port });
  process.on('disconnect', () => process.exit());
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }));
}

async function ask(process: ChildProcess, question?: string): Promise<{ port: number; cpu: NodeJS.CpuUsage }> {
  if (question !== undefined) process.send(question);
  const [answered] = await once(process, 'message');
  return answered as { port: number; cpu: NodeJS.CpuUsage };
}

async function measure(kind: string): Promise<number> {
  const server = fork(import.meta.filename, [kind], {
    execArgv: (process.env['SERVER_ARGS'] ?? '').split(' ').filter(Boolean),
  });
  const { port } = await ask(server);
  await load(port);
  const before = (await ask(server, 'cpu')).cpu;
  const count = await load(port);
  const after = (await ask(server, 'cpu')).cpu;
  server.disconnect();
  const user = (after.user - before.user) / count;
  const system = (after.system - before.system) / count;
  const perSecond = (count * 1000) / RUN_MS;
  console.log(
    `${kind.padEnd(10)} ${perSecond.toFixed(0).padStart(7)} requests/s  ${(user + system).toFixed(1).padStart(6)} µs CPU ` +
      `per request (${user.toFixed(1)} user, ${system.toFixed(1)} system)  ${(1e6 / (user + system)).toFixed(0)} requests per CPU second`,
  );
  return user + system;
}

const [kind] = process.argv.slice(2);
if (kind === undefined) {
  const own: number[] = [];
  const node: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    own.push(await measure('own'));
    node.push(await measure('node:http'));
  }
  const [least, leastOfNode] = [Math.min(...own), Math.min(...node)];
  console.log(
    `least CPU per request of ${ROUNDS} rounds: own ${least.toFixed(1)} µs, node:http ${leastOfNode.toFixed(1)} µs, ` +
      `${(leastOfNode / least).toFixed(2)} times as much`,
  );
} else await child(kind);
