/** The dashboard's pages and numbers over HTTP. Whoever asks passes the gate first; only GET is answered behind it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { AmbitError, errorText } from '../base/errors.ts';
import { type ApiHandler, NotShown } from './api/api-handler.ts';
import { send, sendJson } from './http-answers.ts';
import type { StreamHandler } from './live-tap.ts';
import { openEvents } from './server-events.ts';
import { sendPage } from './static-pages.ts';
import { isAnswer, type ViewerGate } from './viewer.ts';

export interface DashboardOptions {
  /** The address to listen at. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Folder of the built pages. */
  readonly pages: string;
}

export interface DashboardParts {
  readonly gate: ViewerGate;
  /** By path. */
  readonly api: ReadonlyMap<string, ApiHandler>;
  /** What goes on until the browser leaves, by path. */
  readonly streams: ReadonlyMap<string, StreamHandler>;
}

export interface Dashboard {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens. @throws AmbitError LISTEN_FAILED */
export async function serveDashboard(options: DashboardOptions, parts: DashboardParts): Promise<Dashboard> {
  const { host, port, pages } = options;
  const server = createServer((request, response) => {
    respond(request, response, pages, parts).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, { status: error instanceof NotShown ? 404 : 502, body: `${errorText(error)}\n` });
    });
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause: Error) => {
      const text = `cannot listen on ${host} port ${port}: ${cause.message}; choose another --port`;
      reject(new AmbitError('LISTEN_FAILED', text, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
  return {
    port: bound,
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
  pages: string,
  { gate, api, streams }: DashboardParts,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://dashboard');
  if (url === null) return send(response, { status: 400, body: 'the path cannot be read\n' });
  const viewer = await gate.admit(request, url);
  // What the gate did not read of the body is nobody's.
  request.resume();
  if (isAnswer(viewer)) return send(response, viewer);
  if (request.method !== 'GET') return send(response, { status: 405, body: 'only GET is answered here\n' });
  const handler = api.get(url.pathname);
  if (handler !== undefined) return sendJson(response, await handler(viewer, url.searchParams));
  const stream = streams.get(url.pathname);
  if (stream !== undefined) {
    // One that refuses is answered by the caller: its first event has not been sent.
    await stream(viewer, url.searchParams, openEvents(response));
    response.end();
    return;
  }
  await sendPage(response, pages, url.pathname);
}
