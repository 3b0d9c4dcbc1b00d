/**
 * The HTTPS server that API servers ask before they store an object of the mesh (facts l7-and-control 9.4): `POST
 * /validate`. Its certificate is the control plane's own, renewed while it serves.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ServingCertificate } from '../serving-certificate.ts';
import { formatAdmissionReview, parseAdmissionReview, reviewAdmission } from './admission-review.ts';

export interface WebhookOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface RunningWebhook {
  readonly port: number;
  stop(): Promise<void>;
}

/** API servers take objects of 3 MiB at most, and here come both the old and the new one. */
const MAX_BODY_BYTES = 7 * 1024 * 1024;
/** Of all reviews that are arriving. Anybody who reaches the port may send them. */
const MAX_HELD_BYTES = 28 * 1024 * 1024;
/** As long as API servers wait. */
const REQUEST_TIMEOUT_MS = 5000;
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
const MAX_CONNECTIONS = 64;
const PATH = '/validate';

/** Listens. Rejects when the address is taken. The certificate is ended with the server. */
export async function startWebhook(
  { host, port }: WebhookOptions,
  deps: { readonly certificate: ServingCertificate; readonly logger: Logger },
): Promise<RunningWebhook> {
  const server = createServer({
    minVersion: 'TLSv1.2',
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
  });
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new Set<Socket>();
  const held: HeldBytes = { bytes: 0 };
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', (error) => deps.logger.debug('TLS failed', { reason: errorText(error) }));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, held).catch((error: unknown) => {
      deps.logger.warn('a review could not be answered', { reason: errorText(error) });
      response.destroy();
    });
  });
  deps.certificate.addIdentityCertificateListener((update) => {
    if (update === null) return;
    server.setSecureContext({ cert: update.certificate, key: update.privateKey, minVersion: 'TLSv1.2' });
  });
  await listen(server, host, port).catch((error: unknown) => {
    deps.certificate.stop();
    throw error;
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    stop: async () => {
      deps.certificate.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new AmbitError('LISTEN_FAILED', `webhook on ${host} port ${port}: ${errorText(cause)}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
}

/** Of the bodies that are being read. */
interface HeldBytes {
  bytes: number;
}

async function answer(request: IncomingMessage, response: ServerResponse, held: HeldBytes): Promise<void> {
  if (request.method !== 'POST' || request.url?.split('?', 1)[0] !== PATH)
    return end(response, 404, 'POST /validate only\n');
  const body = await readBody(request, held);
  if (body === undefined) {
    // The rest of the body is not read, so the connection is of no further use.
    response.setHeader('connection', 'close');
    response.on('finish', () => request.destroy());
    return end(response, 413, `more than ${MAX_BODY_BYTES} bytes, or too many reviews at a time\n`);
  }
  const review = parseAdmissionReview(body);
  if (!review.ok) return end(response, 400, `${review.error}\n`);
  const verdict = reviewAdmission(review.value);
  response.setHeader('content-type', 'application/json');
  end(response, 200, formatAdmissionReview(review.value.uid, verdict));
}

function end(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.end(body);
}

/** Undefined when it is too large, or when those under way are. */
async function readBody(request: IncomingMessage, held: HeldBytes): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      held.bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES || held.bytes > MAX_HELD_BYTES) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    held.bytes -= bytes;
  }
}
