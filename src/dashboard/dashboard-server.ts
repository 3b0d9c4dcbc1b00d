/** The dashboard's pages and numbers over HTTP, on the loopback of one machine. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { AmbitError, systemErrorCode } from '../base/errors.ts';
import { BrowserSession } from './browser-session.ts';
import { serviceGraph } from './service-graph.ts';
import type { TrafficCollector } from './traffic-collector.ts';

export interface DashboardOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Folder of the built pages. */
  readonly pages: string;
  readonly where: string;
  readonly version: string;
}

export interface Dashboard {
  /** Opens the dashboard, once. */
  readonly address: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const SAFE_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** Listens. @throws AmbitError LISTEN_FAILED */
export async function serveDashboard(options: DashboardOptions, collector: TrafficCollector): Promise<Dashboard> {
  const session = new BrowserSession();
  const server = createServer((request, response) => void respond(request, response, session, options, collector));
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause: Error) => {
      const text = `cannot listen on ${HOST} port ${options.port}: ${cause.message}; choose another --port`;
      reject(new AmbitError('LISTEN_FAILED', text, { cause }));
    });
    server.listen(options.port, HOST, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : options.port);
    });
  });
  return {
    address: `http://${HOST}:${port}/?token=${session.token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  session: BrowserSession,
  options: DashboardOptions,
  collector: TrafficCollector,
): Promise<void> {
  request.resume();
  const { method, headers } = request;
  const url = URL.parse(request.url ?? '/', `http://${HOST}`);
  if (method !== 'GET' || url === null) return say(response, 405, 'only GET is answered here');
  if (!BrowserSession.isLoopback(headers.host)) return say(response, 403, 'call it by 127.0.0.1 or localhost');
  const token = url.searchParams.get('token');
  if (url.pathname === '/' && token !== null && !session.admits(headers.cookie)) {
    const cookie = session.open(token);
    if (cookie === undefined) return say(response, 403, USED);
    response.writeHead(303, { location: '/', 'set-cookie': cookie, ...SAFE_HEADERS }).end();
    return;
  }
  if (!session.admits(headers.cookie)) return say(response, 403, USED);
  if (url.pathname === '/api/mesh') return sayJson(response, meshOf(options, collector));
  if (url.pathname === '/api/history') return sayJson(response, historyOf(collector, url.searchParams));
  await sendPage(response, options.pages, url.pathname === '/' ? '/index.html' : url.pathname);
}

const USED = 'the address of this dashboard works once: start ambit dashboard again for another one';

function meshOf({ where, version }: DashboardOptions, collector: TrafficCollector): object {
  const { proxies, missing, readAtMs, history } = collector;
  const waypoints = new Set(
    proxies
      .filter(({ role }) => role === 'waypoint')
      // The name of its Deployment, which metrics have.
      .map(({ namespace, name }) => `${namespace}/${name.replace(/-[a-z0-9]+-[a-z0-9]{5}$/, '')}`),
  );
  return { where, version, readAtMs, missing, proxies, ...serviceGraph(history.now(), waypoints) };
}

function historyOf({ history }: TrafficCollector, query: URLSearchParams): object {
  const workload = query.get('workload') ?? '';
  const names = ({ namespace, workload: name }: { namespace: string; workload: string }) => `${namespace}/${name}`;
  const found = history.points(
    ({ source, destination }) => names(source) === workload || names(destination) === workload,
  );
  return { edges: found.map(({ edge, points }) => ({ ...edge, points })) };
}

async function sendPage(response: ServerResponse, folder: string, path: string): Promise<void> {
  try {
    const body = await readFile(join(folder, normalize(decodeURIComponent(path))));
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, ...SAFE_HEADERS }).end(body);
  } catch (error) {
    const isMissing =
      error instanceof URIError || ['ENOENT', 'EISDIR', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
    say(response, isMissing ? 404 : 500, isMissing ? 'not found' : 'the page cannot be read');
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...SAFE_HEADERS }).end(`${text}\n`);
}

function sayJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json', ...SAFE_HEADERS }).end(JSON.stringify(value));
}
