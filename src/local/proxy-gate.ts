/**
 * The way from outside to the programs of a local mesh: a socket in the run folder. `GET /proxies` lists them as JSON,
 * `GET /agents` the agents of nodes; `CONNECT NAMESPACE/NAME:PORT` opens a connection to the loopback address of one of them, as a port-forward on a cluster
 * does.
 *
 * Invariants:
 * - Who may open the folder may use it: the folder is the user's own (run-folder.ts).
 * - A peer that is gone takes the other side along; nothing waits longer than its deadline.
 */
import { closeSync, openSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { MeshAgent } from '../model/mesh-agent.ts';
import { type MeshProxy, proxyName } from '../model/mesh-proxy.ts';
import { dialTcp } from '../net/tcp-dialer.ts';

/** A program, and where its network is. */
export interface GatedProxy extends MeshProxy {
  /** Path of its network namespace; undefined for that of this process. */
  readonly netns: string | undefined;
}

/** What there is just now. */
export interface GatedPrograms {
  readonly proxies: () => readonly GatedProxy[];
  readonly agents: () => readonly MeshAgent[];
}

export interface ProxyGate {
  close(): Promise<void>;
}

const DIAL_TIMEOUT_MS = 2000;
const TARGET = /^([^/:]+\/[^/:]+):(\d{1,5})$/;

/** Listens on a Unix socket until it is closed. */
export function serveProxyGate(path: string, programs: GatedPrograms, logger: Logger): Promise<ProxyGate> {
  const open = new Set<Duplex>();
  const server = createServer((request, response) => answer(request, response, programs));
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    void connect(request.url ?? '', socket, head, programs.proxies()).catch((error: unknown) => {
      logger.debug('a program of the mesh was not reached', { target: request.url, error: errorText(error) });
      refuse(socket, 502, errorText(error));
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve({
        close: () =>
          new Promise((done) => {
            for (const socket of open) socket.destroy();
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function answer({ method, url }: IncomingMessage, response: ServerResponse, programs: GatedPrograms): void {
  const list = method === 'GET' ? listOf(url, programs) : undefined;
  response.writeHead(list === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(list ?? { error: 'GET /proxies, GET /agents and CONNECT are all that there is' }));
}

function listOf(url: string | undefined, { proxies, agents }: GatedPrograms): readonly object[] | undefined {
  if (url === '/agents') return agents();
  return url === '/proxies' ? proxies().map(({ netns: _, ...proxy }) => proxy) : undefined;
}

async function connect(target: string, socket: Duplex, head: Buffer, proxies: readonly GatedProxy[]): Promise<void> {
  const [, name = '', port = ''] = TARGET.exec(target) ?? [];
  const proxy = proxies.find((one) => proxyName(one) === name);
  if (proxy === undefined) return refuse(socket, 404, `there is no ${target}`);
  const upstream = await dial(proxy, Number(port));
  upstream.on('error', () => socket.destroy());
  upstream.on('close', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
  if (socket.destroyed) return void upstream.destroy();
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  if (head.length > 0) upstream.write(head);
  socket.pipe(upstream).pipe(socket);
}

async function dial({ netns }: GatedProxy, port: number): Promise<Socket> {
  const destination = { address: '127.0.0.1', port };
  if (netns === undefined) return dialTcp({ destination, timeoutMs: DIAL_TIMEOUT_MS });
  const netnsFd = openSync(netns, 'r');
  try {
    return await dialTcp({ destination, netnsFd, timeoutMs: DIAL_TIMEOUT_MS });
  } finally {
    closeSync(netnsFd);
  }
}

function refuse(socket: Duplex, status: number, text: string): void {
  if (socket.destroyed) return;
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
