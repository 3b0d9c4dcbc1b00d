/** A connection whose bytes are requests, served by the HTTP engine. */
import type { AmbitError } from '../base/errors.ts';
import type { HttpHeader, HttpStream } from '../http/http-stream.ts';
import { Http1ServerConnection } from '../http1/server-connection.ts';
import type { PausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { StreamHandler } from '../http2/stream.ts';
import type { HttpConnectionContext, HttpExchangeDeps } from './http-context.ts';
import { handleRequest } from './http-exchange.ts';

export interface ServeHttpDeps extends HttpExchangeDeps {
  readonly blocks: BlockPool;
}

/** A connection that can be asked to end when its present requests have. */
export interface Drainable {
  drain(): void;
}

/** Told once that the connection is gone. @param error undefined when it ended in order */
type OnClosed = (error: AmbitError | undefined) => void;

/** What this side offers as an HTTP/2 server. */
const HTTP2_SETTINGS = {
  initialWindowBytes: 1_048_576,
  connectionWindowBytes: 4_194_304,
  maxHeaderListBytes: 61_440,
  maxConcurrentStreams: 100,
};

/** Serves it as HTTP/1. */
export function serveHttp1(
  transport: PausableTransport,
  context: HttpConnectionContext,
  deps: ServeHttpDeps,
  onClosed: OnClosed,
): Drainable {
  return new Http1ServerConnection(
    transport,
    { clock: deps.clock, pool: deps.blocks, scheme: 'http', halfClose: false },
    {
      onRequest: (stream, headers, endStream) => handleRequest(stream, headers, endStream, context, deps),
      onClosed,
    },
  );
}

/** Serves it as HTTP/2. */
export function serveHttp2(
  transport: PausableTransport,
  context: HttpConnectionContext,
  deps: ServeHttpDeps,
  onClosed: OnClosed,
): Drainable {
  return new Http2Connection(
    transport,
    'server',
    { clock: deps.clock, pool: deps.blocks, settings: HTTP2_SETTINGS },
    {
      onStream: (stream, headers, endStream) =>
        handleRequest(
          stream as HttpStream,
          headers as readonly HttpHeader[],
          endStream,
          context,
          deps,
        ) as StreamHandler,
      onClosed,
    },
  );
}
