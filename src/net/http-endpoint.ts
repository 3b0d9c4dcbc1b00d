/** Small HTTP endpoints for people and probes: a table of routes, bounded requests, no keep-alive surprises. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { AmbitError, errorText } from '../base/errors.ts';

// To import node:http reads all that it exports, WebSocket among it, for which Node loads a client of 6 MB.
const { createServer } = process.getBuiltinModule('node:http');

export interface HttpAnswer {
  readonly status: number;
  /** A stream is sent at the pace of its reader, and destroyed when the reader goes. */
  readonly body: string | Buffer | Readable;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * In place of the body: an answer that goes on until the reader leaves.
   * @param write takes a part, or returns false while the reader is slow
   * @returns what is to be done when the reader is gone
   */
  readonly stream?: (write: (part: string) => boolean) => () => void;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly remoteAddress: string;
}

/** Handlers by `METHOD /path`. A known path with another method answers 405, an unknown path 404. */
export type HttpRoutes = Readonly<Record<string, (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>>>;

export interface HttpEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on every address given, all on one port; a port of 0 lets the kernel choose for the first. */
export async function serveHttp(hosts: readonly string[], port: number, routes: HttpRoutes): Promise<HttpEndpoint> {
  const servers: Server[] = [];
  let bound = port;
  try {
    for (const host of hosts) {
      const server = createEndpointServer(routes);
      bound = await listen(server, host, bound);
      servers.push(server);
    }
  } catch (error) {
    await Promise.all(servers.map(close));
    throw error;
  }
  return { port: bound, close: async () => void (await Promise.all(servers.map(close))) };
}

function createEndpointServer(routes: HttpRoutes): Server {
  const limits = { headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, maxHeaderSize: 8192 };
  return createServer(limits, (request, response) => {
    request.resume();
    void answer(routes, request).then(({ status, body, contentType, headers, stream }) => {
      response.writeHead(status, { 'content-type': contentType ?? 'text/plain; charset=utf-8', ...headers });
      if (stream !== undefined && request.method !== 'HEAD') return sendStream(response, stream);
      send(response, request.method === 'HEAD' ? undefined : body);
    });
  });
}

function send(response: ServerResponse, body: HttpAnswer['body'] | undefined): void {
  if (!(body instanceof Readable)) return void response.end(body);
  pipeline(body, response, (error) => {
    // The answer began: a reader sees that it was cut.
    if (error) response.destroy();
  });
}

function sendStream(response: ServerResponse, stream: NonNullable<HttpAnswer['stream']>): void {
  if (response.closed || response.destroyed) return;
  response.flushHeaders();
  const end = stream((part) => {
    if (response.writableNeedDrain || response.destroyed) return false;
    response.write(part);
    return true;
  });
  response.once('close', end);
}

async function answer(routes: HttpRoutes, request: IncomingMessage): Promise<HttpAnswer> {
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) return { status: 400, body: 'bad request\n' };
  const handler = routes[`${method} ${url.pathname}`];
  if (handler === undefined) {
    const known = Object.keys(routes).some((route) => route.endsWith(` ${url.pathname}`));
    return known ? { status: 405, body: 'method not allowed\n' } : { status: 404, body: 'not found\n' };
  }
  try {
    return await handler({ method, url, headers: request.headers, remoteAddress: request.socket.remoteAddress ?? '' });
  } catch (error) {
    return { status: 500, body: `${errorText(error)}\n` };
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(new AmbitError('LISTEN_FAILED', `cannot listen on ${host} port ${port}: ${cause.message}`, { cause }));
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
