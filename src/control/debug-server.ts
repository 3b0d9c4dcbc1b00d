/** Plain HTTP of the control plane: `/ready`, `/metrics`, `/debug/ambientz` (facts l7-and-control 9.1, 9.2). */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AmbitError, errorText } from '../base/errors.ts';

export type DebugServerErrorCode = 'DEBUG_LISTEN_FAILED';

export interface DebugServerDeps {
  readonly isReady: () => boolean;
  readonly ambientz: () => unknown;
  readonly status: () => unknown;
  /** The metrics page; 404 without. */
  readonly renderMetrics?: (() => Promise<{ readonly contentType: string; readonly body: string }>) | undefined;
}

export interface RunningDebugServer {
  readonly port: number;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const REQUEST_TIMEOUT_MS = 10_000;
const TEXT = 'text/plain; charset=utf-8';

/** Starts to listen. Rejects when the address is taken. */
export async function startDebugServer(
  options: { readonly host: string; readonly port: number },
  deps: DebugServerDeps,
): Promise<RunningDebugServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(request, deps).then(
      (found) => send(response, found),
      (error: unknown) => send(response, { status: 500, contentType: TEXT, body: `${errorText(error)}\n` }),
    );
  });
  await listen(server, options);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { port, stop: () => stop(server) };
}

async function answer(request: IncomingMessage, deps: DebugServerDeps): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET\n');
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  if (path.startsWith('/debug/') && !isLocal(request)) {
    return text(403, 'only from within the pod: use kubectl port-forward\n');
  }
  switch (path) {
    case '/ready':
      return deps.isReady() ? text(200, 'ready\n') : text(503, 'not ready\n');
    case '/debug/ambientz':
      return json(deps.ambientz());
    case '/debug/statusz':
      return json(deps.status());
    case '/metrics': {
      const page = await deps.renderMetrics?.();
      return page === undefined ? text(404, 'no metrics\n') : { status: 200, ...page };
    }
    default:
      return text(404, 'not found; try /ready /metrics /debug/ambientz /debug/statusz\n');
  }
}

/** What is in the feed is nobody's business who has no part in the control plane (facts l7-and-control 9.1). */
function isLocal(request: IncomingMessage): boolean {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return address === '::1' || address.startsWith('127.');
}

function text(status: number, body: string): Answer {
  return { status, contentType: TEXT, body };
}

function json(value: unknown): Answer {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function listen(server: Server, options: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `cannot listen on ${options.host}:${options.port}: ${errorText(error)}`;
      reject(new AmbitError<DebugServerErrorCode>('DEBUG_LISTEN_FAILED', message, { cause: error }));
    });
    server.listen(options.port, options.host, resolve);
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
