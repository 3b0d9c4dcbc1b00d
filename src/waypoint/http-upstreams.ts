/**
 * HTTP connections to endpoints, kept for the next request.
 *
 * Invariants:
 * - Requests of several clients may follow each other on a connection: it is the waypoint's own, and carries nobody's
 *   identity but the waypoint's.
 * - What `acquire` gives out counts as a request until it is made or released: of many who waited for one HTTP/2
 *   connection, no more get it than it has room for.
 * - Every connection that is open is in the list of its endpoint, whose slot lives as long as one of them; what is idle
 *   for long is closed.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { streamTransport } from '../http1/stream-transport.ts';
import { pausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { Workload } from '../model/workload.ts';
import type { HttpUpstream, PooledConnection } from './pooled-connection.ts';
import { PooledHttp1 } from './pooled-http1.ts';
import { PooledHttp2 } from './pooled-http2.ts';
import type { Endpoint, Upstream, Upstreams } from './upstreams.ts';

export type UpstreamVersion = 'http1' | 'http2';

export interface HttpUpstreamsDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly upstreams: Upstreams;
}

/** What a connection to one endpoint is opened with. */
interface OpenRequest {
  readonly endpoint: Endpoint;
  readonly version: UpstreamVersion;
  readonly self: Workload;
  readonly forwarded: string;
}

interface EndpointSlot {
  readonly connections: Set<PooledConnection>;
  /** HTTP/2: the connection that everybody waits for. */
  opening: Promise<ProxyError | undefined> | undefined;
  /** Connections that are being opened. */
  pending: number;
}

const MAX_IDLE_MS = 60_000;

export class HttpUpstreams {
  readonly #deps: HttpUpstreamsDeps;
  readonly #slots = new Map<string, EndpointSlot>();
  #sweep: Timer | undefined;
  #stopped = false;

  constructor(deps: HttpUpstreamsDeps) {
    this.#deps = deps;
  }

  /** A connection to the endpoint, open already or new; to be used in this turn, or released. */
  async acquire(
    endpoint: Endpoint,
    version: UpstreamVersion,
    self: Workload,
    forwarded: string,
  ): Promise<Result<HttpUpstream, ProxyError>> {
    const key = `${version} ${endpoint.workload.uid} ${endpoint.port}`;
    const request = { endpoint, version, self, forwarded };
    for (;;) {
      if (this.#stopped) return fail(proxyError('POOL_DRAINING', 'pool draining'));
      const slot = this.#slot(key);
      const upstream = checkOut(slot);
      if (upstream !== undefined) return ok(upstream);
      if (version === 'http1') return this.#openHttp1(key, slot, request);
      slot.opening ??= this.#openHttp2(key, slot, request).finally(() => {
        slot.opening = undefined;
      });
      const error = await slot.opening;
      if (error !== undefined) return fail(error);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#sweep?.cancel();
    for (const { connections } of this.#slots.values()) for (const one of [...connections]) one.destroy();
  }

  #slot(key: string): EndpointSlot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { connections: new Set(), opening: undefined, pending: 0 };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #openHttp1(key: string, slot: EndpointSlot, request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    return this.#open(key, slot, request, (upstream, onClosed) => {
      const pooled = new PooledHttp1(transportOf(upstream), this.#deps, onClosed);
      this.#add(slot, pooled);
      return pooled.checkOut() ?? pooled.unusable();
    });
  }

  /** Resolves once the endpoint said how many requests it takes at a time. @returns why there is none */
  async #openHttp2(key: string, slot: EndpointSlot, request: OpenRequest): Promise<ProxyError | undefined> {
    const opened = await this.#open(key, slot, request, (upstream, onClosed) => {
      const pooled = new PooledHttp2(transportOf(upstream), this.#deps, onClosed);
      return pooled.settled().then((isOpen) => {
        if (isOpen) this.#add(slot, pooled);
        return isOpen;
      });
    });
    if (!opened.ok) return opened.error;
    const isOpen = await opened.value;
    return isOpen ? undefined : proxyError('H2_HANDSHAKE_FAILED', 'http2 handshake failed: the endpoint closed');
  }

  #open<T>(
    key: string,
    slot: EndpointSlot,
    { endpoint, self, forwarded }: OpenRequest,
    take: (upstream: Upstream, onClosed: (pooled: PooledConnection) => void) => T,
  ): Promise<Result<T, ProxyError>> {
    slot.pending += 1;
    return new Promise((resolve) => {
      void this.#deps.upstreams.connect(endpoint, self, forwarded, (result) => {
        slot.pending -= 1;
        if (result.ok && !this.#stopped) {
          // The transport takes the stream's events from this call on, so that none is lost.
          resolve(ok(take(result.value, (pooled) => this.#closed(key, slot, pooled))));
          return;
        }
        if (result.ok) destroyUpstream(result.value);
        this.#dropEmpty(key, slot);
        resolve(result.ok ? fail(proxyError('POOL_DRAINING', 'pool draining')) : result);
      });
    });
  }

  #add(slot: EndpointSlot, pooled: PooledConnection): void {
    slot.connections.add(pooled);
    this.#sweep ??= this.#deps.clock.after(MAX_IDLE_MS / 2, () => this.#closeIdle());
  }

  #closed(key: string, slot: EndpointSlot, pooled: PooledConnection): void {
    slot.connections.delete(pooled);
    this.#dropEmpty(key, slot);
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const beforeMs = this.#deps.clock.monotonicMs() - MAX_IDLE_MS;
    for (const { connections } of this.#slots.values()) {
      for (const one of [...connections]) one.closeIfIdleSince(beforeMs);
    }
    const left = [...this.#slots.values()].some(({ connections }) => connections.size > 0);
    if (left && !this.#stopped) this.#sweep = this.#deps.clock.after(MAX_IDLE_MS / 2, () => this.#closeIdle());
  }

  #dropEmpty(key: string, slot: EndpointSlot): void {
    if (slot.connections.size === 0 && slot.pending === 0 && this.#slots.get(key) === slot) this.#slots.delete(key);
  }
}

function checkOut({ connections }: EndpointSlot): HttpUpstream | undefined {
  for (const connection of connections) {
    const upstream = connection.checkOut();
    if (upstream !== undefined) return upstream;
  }
  return undefined;
}

function transportOf(upstream: Upstream) {
  return upstream.kind === 'tunnel' ? streamTransport(upstream.stream) : pausableTransport(upstream.socket);
}

function destroyUpstream(upstream: Upstream): void {
  if (upstream.kind === 'tunnel') upstream.stream.reset();
  else upstream.socket.destroy();
}
