/**
 * HTTP connections to endpoints, kept for the next request.
 *
 * Invariants:
 * - Requests of several clients may follow each other on a connection: it is the waypoint's own, and carries nobody's
 *   identity but the waypoint's.
 * - An HTTP/1 connection is handed out only when idle and reusable; what has been idle for long is closed.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { ProxyError } from '../hbone/proxy-error.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { Http1ClientConnection } from '../http1/client-connection.ts';
import { streamTransport } from '../http1/stream-transport.ts';
import { type PausableTransport, pausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { Workload } from '../model/workload.ts';
import type { Endpoint, Upstream, Upstreams } from './upstreams.ts';

export type UpstreamVersion = 'http1' | 'http2';

/** A connection that a request can go out on. */
export interface HttpUpstream {
  /** Whether requests went out on it before. */
  readonly reused: boolean;
  request(
    headers: readonly HttpHeader[],
    handler: HttpStreamHandler,
    endStream: boolean,
  ): Result<HttpStream, AmbitError>;
}

export interface HttpUpstreamsDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly upstreams: Upstreams;
}

interface IdleConnection {
  readonly connection: Http1ClientConnection;
  readonly sinceMs: number;
}

interface EndpointSlot {
  readonly idle: IdleConnection[];
  http2: Http2Connection | undefined;
  opening: Promise<Result<HttpUpstream, ProxyError>> | undefined;
}

/** Idle HTTP/1 connections kept for one endpoint. */
const MAX_IDLE_CONNECTIONS = 64;
const MAX_IDLE_MS = 60_000;
/** What this side offers as an HTTP/2 client inside a tunnel. */
const HTTP2_SETTINGS = { initialWindowBytes: 1_048_576, connectionWindowBytes: 4_194_304 };

export class HttpUpstreams {
  readonly #deps: HttpUpstreamsDeps;
  readonly #slots = new Map<string, EndpointSlot>();
  #sweep: Timer | undefined;

  constructor(deps: HttpUpstreamsDeps) {
    this.#deps = deps;
  }

  /** A connection to the endpoint, open already or new. @param forwarded names the client to a new tunnel */
  async acquire(
    endpoint: Endpoint,
    version: UpstreamVersion,
    self: Workload,
    forwarded: string,
  ): Promise<Result<HttpUpstream, ProxyError>> {
    const key = `${version} ${endpoint.workload.uid} ${endpoint.port}`;
    const slot = this.#slot(key);
    if (version === 'http1') {
      const idle = takeIdle(slot);
      return idle === undefined
        ? this.#open(key, slot, endpoint, version, self, forwarded)
        : ok(http1Upstream(idle, true));
    }
    if (slot.http2?.acceptsRequests) return ok(http2Upstream(slot.http2, true));
    slot.opening ??= this.#open(key, slot, endpoint, version, self, forwarded).finally(() => {
      slot.opening = undefined;
    });
    return slot.opening;
  }

  stop(): void {
    this.#sweep?.cancel();
    for (const { idle, http2 } of this.#slots.values()) {
      for (const { connection } of idle) connection.destroy();
      http2?.destroy();
    }
    this.#slots.clear();
  }

  #slot(key: string): EndpointSlot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { idle: [], http2: undefined, opening: undefined };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #open(
    key: string,
    slot: EndpointSlot,
    endpoint: Endpoint,
    version: UpstreamVersion,
    self: Workload,
    forwarded: string,
  ): Promise<Result<HttpUpstream, ProxyError>> {
    return new Promise((resolve) => {
      void this.#deps.upstreams.connect(endpoint, self, forwarded, (result) => {
        if (!result.ok) {
          this.#dropEmpty(key, slot);
          return resolve(result);
        }
        // The transport takes the stream's events from this call on, so that none is lost.
        const transport = transportOf(result.value);
        resolve(ok(version === 'http1' ? this.#http1(key, slot, transport) : this.#http2(key, slot, transport)));
      });
    });
  }

  #http1(key: string, slot: EndpointSlot, transport: PausableTransport): HttpUpstream {
    const { clock, blocks } = this.#deps;
    const connection: Http1ClientConnection = new Http1ClientConnection(
      transport,
      { clock, pool: blocks },
      {
        onIdle: () => this.#keep(slot, connection),
        onClosed: () => {
          const index = slot.idle.findIndex((entry) => entry.connection === connection);
          if (index >= 0) slot.idle.splice(index, 1);
          this.#dropEmpty(key, slot);
        },
      },
    );
    return http1Upstream(connection, false);
  }

  #http2(key: string, slot: EndpointSlot, transport: PausableTransport): HttpUpstream {
    const { clock, blocks } = this.#deps;
    const connection: Http2Connection = new Http2Connection(
      transport,
      'client',
      { clock, pool: blocks, settings: HTTP2_SETTINGS },
      {
        onClosed: () => {
          if (slot.http2 === connection) slot.http2 = undefined;
          this.#dropEmpty(key, slot);
        },
      },
    );
    slot.http2 = connection;
    return http2Upstream(connection, false);
  }

  #keep(slot: EndpointSlot, connection: Http1ClientConnection): void {
    if (!connection.acceptsRequests) return;
    if (slot.idle.length >= MAX_IDLE_CONNECTIONS) return connection.drain();
    slot.idle.push({ connection, sinceMs: this.#deps.clock.monotonicMs() });
    this.#sweep ??= this.#deps.clock.after(MAX_IDLE_MS / 2, () => this.#closeIdle());
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const beforeMs = this.#deps.clock.monotonicMs() - MAX_IDLE_MS;
    let left = false;
    for (const { idle } of this.#slots.values()) {
      for (const entry of idle.filter(({ sinceMs }) => sinceMs <= beforeMs)) entry.connection.drain();
      left ||= idle.length > 0;
    }
    if (left) this.#sweep = this.#deps.clock.after(MAX_IDLE_MS / 2, () => this.#closeIdle());
  }

  #dropEmpty(key: string, slot: EndpointSlot): void {
    if (slot.idle.length === 0 && slot.http2 === undefined && slot.opening === undefined) this.#slots.delete(key);
  }
}

function takeIdle(slot: EndpointSlot): Http1ClientConnection | undefined {
  for (let entry = slot.idle.pop(); entry !== undefined; entry = slot.idle.pop()) {
    if (entry.connection.acceptsRequests) return entry.connection;
  }
  return undefined;
}

function transportOf(upstream: Upstream): PausableTransport {
  return upstream.kind === 'tunnel' ? streamTransport(upstream.stream) : pausableTransport(upstream.socket);
}

function http1Upstream(connection: Http1ClientConnection, reused: boolean): HttpUpstream {
  return { reused, request: (headers, handler, endStream) => connection.request(headers, handler, endStream) };
}

function http2Upstream(connection: Http2Connection, reused: boolean): HttpUpstream {
  return {
    reused,
    request: (headers, handler, endStream) => {
      const opened = connection.request(headers, handler as Parameters<typeof connection.request>[1], endStream);
      return opened.ok ? opened : fail(opened.error);
    },
  };
}
