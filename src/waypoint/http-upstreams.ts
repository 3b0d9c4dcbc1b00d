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
 * - A limit on connections never leaves an endpoint without any: who waits, waits for one that is there
 *   (facts l7-and-control 2.3).
 */
import type { Clock, Timer } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { streamTransport } from '../http1/stream-transport.ts';
import { pausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { Workload } from '../model/workload.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import { type PoolLimits, PoolLimitsByPolicy } from './pool-limits.ts';
import type { HttpUpstream, PooledConnection, PooledEvents } from './pooled-connection.ts';
import { PooledHttp1 } from './pooled-http1.ts';
import { PooledHttp2 } from './pooled-http2.ts';
import { destroyUpstream, type Endpoint, type Upstream, type Upstreams } from './upstreams.ts';

export type UpstreamVersion = 'http1' | 'http2';

export interface HttpUpstreamsDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly upstreams: Upstreams;
}

/** What a connection to one endpoint is opened with. */
interface OpenRequest {
  readonly key: string;
  readonly endpoint: Endpoint;
  readonly version: UpstreamVersion;
  readonly self: Workload;
  readonly forwarded: string;
  readonly policy: TrafficPolicy | undefined;
  readonly limits: PoolLimits;
}

interface EndpointSlot {
  readonly connections: Set<PooledConnection>;
  /** HTTP/2: the connection that everybody waits for. */
  opening: Promise<ProxyError | undefined> | undefined;
  /** Connections that are being opened. */
  pending: number;
  /** Requests that may not open a connection, in line for one of those that are there. */
  readonly waiting: (() => void)[];
}

const MAX_SWEEP_MS = 30_000;
const MIN_SWEEP_MS = 100;
const ALPN: Readonly<Record<UpstreamVersion, readonly string[]>> = { http1: ['http/1.1'], http2: ['h2'] };

export class HttpUpstreams {
  readonly #deps: HttpUpstreamsDeps;
  readonly #slots = new Map<string, EndpointSlot>();
  readonly #limits = new PoolLimitsByPolicy();
  #sweep: Timer | undefined;
  #sweepMs = MAX_SWEEP_MS;
  #stopped = false;

  constructor(deps: HttpUpstreamsDeps) {
    this.#deps = deps;
  }

  /**
   * A connection to the endpoint, open already or new; to be used in this turn, or released.
   * @param policy its limits; UPSTREAM_OVERFLOW where as many wait for a connection as may
   */
  async acquire(
    endpoint: Endpoint,
    declared: UpstreamVersion,
    self: Workload,
    forwarded: string,
    policy?: TrafficPolicy,
  ): Promise<Result<HttpUpstream, ProxyError>> {
    if (this.#stopped) return fail(draining());
    const limits = this.#limits.of(policy);
    const version = upstreamVersion(declared, policy);
    const key = `${limits.id} ${version} ${endpoint.workload.uid} ${endpoint.port}`;
    const upstream = checkOut(this.#slots.get(key));
    if (upstream !== undefined) return ok(upstream);
    const place = limits.breaker.admit('pending');
    if (place === undefined) return fail(proxyError('UPSTREAM_OVERFLOW', 'upstream overflow: too many requests wait'));
    const waited = await this.#wait({ key, endpoint, version, self, forwarded, policy, limits });
    place.release();
    return waited;
  }

  stop(): void {
    this.#stopped = true;
    this.#sweep?.cancel();
    for (const slot of this.#slots.values()) {
      wakeAll(slot);
      for (const one of [...slot.connections]) one.destroy();
    }
  }

  /** Until a connection is free, or a new one is open. */
  async #wait(request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    const { breaker } = request.limits;
    for (let turns = 0; !this.#stopped; turns++) {
      const slot = this.#slot(request.key);
      const upstream = checkOut(slot);
      if (upstream !== undefined) return ok(upstream);
      const isAlone = slot.connections.size + slot.pending === 0;
      if (slot.opening === undefined && !isAlone && !breaker.hasRoom('connections')) {
        // Who was first stays first.
        await new Promise<void>((resolve) => {
          if (turns === 0) slot.waiting.push(resolve);
          else slot.waiting.unshift(resolve);
        });
        continue;
      }
      if (request.version === 'http1') return this.#openHttp1(slot, request);
      slot.opening ??= this.#openHttp2(slot, request).finally(() => {
        slot.opening = undefined;
        wakeAll(slot);
      });
      const error = await slot.opening;
      if (error !== undefined) return fail(error);
    }
    return fail(draining());
  }

  #slot(key: string): EndpointSlot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { connections: new Set(), opening: undefined, pending: 0, waiting: [] };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #openHttp1(slot: EndpointSlot, request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    return this.#open(slot, request, (upstream, events) => {
      const { connection } = request.limits;
      const pooled = new PooledHttp1(transportOf(upstream), this.#deps, connection, events);
      this.#add(slot, pooled, request.limits);
      return pooled.checkOut() ?? pooled.unusable();
    });
  }

  /** Resolves once the endpoint said how many requests it takes at a time. @returns why there is none */
  async #openHttp2(slot: EndpointSlot, request: OpenRequest): Promise<ProxyError | undefined> {
    const opened = await this.#open(slot, request, (upstream, events) => {
      const { connection } = request.limits;
      const pooled = new PooledHttp2(transportOf(upstream), this.#deps, connection, events);
      return pooled.settled().then((isOpen) => {
        if (isOpen) this.#add(slot, pooled, request.limits);
        return isOpen;
      });
    });
    if (!opened.ok) return opened.error;
    const isOpen = await opened.value;
    return isOpen ? undefined : proxyError('H2_HANDSHAKE_FAILED', 'http2 handshake failed: the endpoint closed');
  }

  #open<T>(
    slot: EndpointSlot,
    { key, endpoint, version, self, forwarded, policy, limits }: OpenRequest,
    take: (upstream: Upstream, events: PooledEvents) => T,
  ): Promise<Result<T, ProxyError>> {
    slot.pending += 1;
    const counted = limits.breaker.take('connections');
    const events: PooledEvents = {
      onClosed: (pooled) => {
        counted.release();
        slot.connections.delete(pooled);
        this.#vacated(key, slot);
      },
      onRoom: () => slot.waiting.shift()?.(),
    };
    return new Promise((resolve) => {
      const answer = (result: Result<Upstream, ProxyError>) => {
        slot.pending -= 1;
        // The transport takes the stream's events from this call on, so that none is lost.
        if (result.ok && !this.#stopped) return resolve(ok(take(result.value, events)));
        counted.release();
        if (result.ok) destroyUpstream(result.value);
        this.#vacated(key, slot);
        resolve(result.ok ? fail(draining()) : result);
      };
      void this.#deps.upstreams.connect(endpoint, self, forwarded, answer, policy, ALPN[version]);
    });
  }

  #add(slot: EndpointSlot, pooled: PooledConnection, { connection }: PoolLimits): void {
    slot.connections.add(pooled);
    const everyMs = Math.min(MAX_SWEEP_MS, Math.max(connection.idleMs / 2, MIN_SWEEP_MS));
    if (this.#sweep !== undefined && everyMs >= this.#sweepMs) return;
    this.#sweep?.cancel();
    this.#sweepMs = everyMs;
    this.#sweep = this.#deps.clock.after(everyMs, () => this.#closeIdle());
  }

  /** A connection is gone or did not come up: who is first in line may open another. */
  #vacated(key: string, slot: EndpointSlot): void {
    const next = slot.waiting.shift();
    if (next !== undefined) return next();
    if (slot.connections.size === 0 && slot.pending === 0 && this.#slots.get(key) === slot) this.#slots.delete(key);
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    for (const { connections } of this.#slots.values()) for (const one of [...connections]) one.closeIfIdle(nowMs);
    const left = [...this.#slots.values()].some(({ connections }) => connections.size > 0);
    if (!left) this.#sweepMs = MAX_SWEEP_MS;
    else if (!this.#stopped) this.#sweep = this.#deps.clock.after(this.#sweepMs, () => this.#closeIdle());
  }
}

/** What is spoken to an endpoint: what its port declares, unless the policy wants HTTP/2. */
export function upstreamVersion(declared: UpstreamVersion, policy: TrafficPolicy | undefined): UpstreamVersion {
  return policy?.connectionPool?.upgradeToHttp2 === true ? 'http2' : declared;
}

function draining(): ProxyError {
  return proxyError('POOL_DRAINING', 'pool draining');
}

function wakeAll({ waiting }: EndpointSlot): void {
  for (const wake of waiting.splice(0)) wake();
}

function checkOut(slot: EndpointSlot | undefined): HttpUpstream | undefined {
  if (slot === undefined) return undefined;
  for (const connection of slot.connections) {
    const upstream = connection.checkOut();
    if (upstream !== undefined) return upstream;
  }
  return undefined;
}

function transportOf(upstream: Upstream) {
  return upstream.kind === 'tunnel' ? streamTransport(upstream.stream) : pausableTransport(upstream.socket);
}
