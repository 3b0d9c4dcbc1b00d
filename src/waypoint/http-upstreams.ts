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
 * - A request that is over waits no more; a connection that was opened for it goes to the next.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { streamTransport } from '../http1/stream-transport.ts';
import { pausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { INTAKE_BYTES } from '../http2/socket-intake.ts';
import type { Workload } from '../model/workload.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import type { Cancellation } from './cancellation.ts';
import { type PoolLimits, PoolLimitsByPolicy } from './pool-limits.ts';
import type { HttpUpstream, PooledConnection, PooledEvents } from './pooled-connection.ts';
import { PooledHttp1 } from './pooled-http1.ts';
import { PooledHttp2 } from './pooled-http2.ts';
import { destroyUpstream, type Endpoint, type Upstream, type Upstreams } from './upstreams.ts';
import { requestOver, WaitingLine } from './waiting-line.ts';

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
  readonly signal: Cancellation | undefined;
}

/** An HTTP/2 connection that comes up, and who waits for it. */
interface Opening {
  readonly waiting: WaitingLine;
  /** Once it is connected. */
  pooled: PooledHttp2 | undefined;
}

interface EndpointSlot {
  readonly connections: Set<PooledConnection>;
  /** Those of HTTP/1 that nobody uses; the one that was used last is taken first, so that the others grow old. */
  readonly free: PooledConnection[];
  /** HTTP/2: the connection that everybody waits for. */
  opening: Opening | undefined;
  /** Connections that are being opened. */
  pending: number;
  /** Requests that may not open a connection, in line for one of those that are there. */
  readonly waiting: WaitingLine;
}

/** The name of an endpoint's slot, as it was made last. */
interface SlotKey {
  readonly limits: PoolLimits;
  readonly version: UpstreamVersion;
  readonly text: string;
}

const MAX_SWEEP_MS = 30_000;
const MIN_SWEEP_MS = 100;
const ALPN: Readonly<Record<UpstreamVersion, readonly string[]>> = { http1: ['http/1.1'], http2: ['h2'] };

export class HttpUpstreams {
  readonly #deps: HttpUpstreamsDeps;
  readonly #slots = new Map<string, EndpointSlot>();
  readonly #limits = new PoolLimitsByPolicy();
  /** Endpoints are the same objects for as long as they stay: their names are not put together for every request. */
  readonly #keys = new WeakMap<Endpoint, SlotKey>();
  /** All plain connections are read into it, one after the other. */
  #intakeBuffer: Buffer | undefined;
  #sweep: Timer | undefined;
  #sweepMs = MAX_SWEEP_MS;
  #stopped = false;

  constructor(deps: HttpUpstreamsDeps) {
    this.#deps = deps;
  }

  /**
   * A connection to the endpoint, open already or new; to be used in this turn, or released. Answers at once where a
   * connection is free.
   * @param policy its limits; UPSTREAM_OVERFLOW where as many wait for a connection as may
   * @param signal when the request is over, and waits no more
   */
  acquire(
    endpoint: Endpoint,
    declared: UpstreamVersion,
    self: Workload,
    forwarded: string,
    policy?: TrafficPolicy,
    signal?: Cancellation,
  ): Result<HttpUpstream, ProxyError> | Promise<Result<HttpUpstream, ProxyError>> {
    if (this.#stopped) return fail(draining());
    if (signal?.aborted === true) return fail(requestOver());
    const limits = this.#limits.of(policy);
    const version = upstreamVersion(declared, policy);
    const key = this.#keyOf(endpoint, version, limits);
    const upstream = checkOut(this.#slots.get(key));
    if (upstream !== undefined) return ok(upstream);
    return this.#waitInLine({ key, endpoint, version, self, forwarded, policy, limits, signal });
  }

  #keyOf(endpoint: Endpoint, version: UpstreamVersion, limits: PoolLimits): string {
    const known = this.#keys.get(endpoint);
    if (known?.limits === limits && known.version === version) return known.text;
    const text = `${limits.id} ${version} ${endpoint.workload.uid} ${endpoint.port}`;
    this.#keys.set(endpoint, { limits, version, text });
    return text;
  }

  async #waitInLine(request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    const { limits, signal } = request;
    const place = limits.breaker.admit('pending');
    if (place === undefined) return fail(proxyError('UPSTREAM_OVERFLOW', 'upstream overflow: too many requests wait'));
    const forget = signal?.onAbort(() => place.release());
    const waited = await this.#wait(request);
    forget?.();
    place.release();
    return waited;
  }

  /** How many requests wait for a connection under the policy. */
  waiting(policy: TrafficPolicy | undefined): number {
    return this.#limits.of(policy).breaker.used('pending');
  }

  stop(): void {
    this.#stopped = true;
    this.#sweep?.cancel();
    for (const slot of this.#slots.values()) {
      slot.opening?.waiting.callAll(draining());
      slot.opening?.pooled?.destroy();
      slot.waiting.callAll(draining());
      for (const one of [...slot.connections]) one.destroy();
    }
  }

  /** Until a connection is free, or a new one is open. */
  async #wait(request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    const { key, limits, version, signal } = request;
    for (let turns = 0; !this.#stopped; turns++) {
      const slot = this.#slot(key);
      if (signal?.aborted === true) {
        // It was called, and is over: its turn is the next one's.
        this.#vacated(key, slot);
        return fail(requestOver());
      }
      const upstream = checkOut(slot);
      if (upstream !== undefined) return ok(upstream);
      const isAlone = slot.connections.size + slot.pending === 0;
      const mayOpen = isAlone || limits.breaker.hasRoom('connections');
      if (mayOpen && version === 'http1') return this.#openHttp1(slot, request);
      if (mayOpen && slot.opening === undefined) this.#openHttp2(slot, request);
      const line = slot.opening?.waiting ?? slot.waiting;
      const error = await line.wait(turns > 0, signal);
      if (error !== undefined) return fail(error);
    }
    return fail(draining());
  }

  #slot(key: string): EndpointSlot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { connections: new Set(), free: [], opening: undefined, pending: 0, waiting: new WaitingLine() };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  /** Resolves at once, without a connection, when the request is over; the connection is the next one's then. */
  #openHttp1(slot: EndpointSlot, request: OpenRequest): Promise<Result<HttpUpstream, ProxyError>> {
    const { limits, signal } = request;
    const opened = this.#open(slot, request, (upstream, events) => {
      const pooled = new PooledHttp1(transportOf(upstream), this.#deps, limits.connection, events);
      this.#add(slot, pooled, limits);
      return pooled.checkOut() ?? pooled.unusable();
    });
    if (signal === undefined) return opened;
    return new Promise((resolve) => {
      const forget = signal.onAbort(() => resolve(fail(requestOver())));
      void opened.then((result) => {
        forget();
        if (signal.aborted && result.ok) result.value.release();
        else resolve(result);
      });
    });
  }

  /** Calls all who wait once the endpoint said how many requests it takes at a time, or when it will not. */
  #openHttp2(slot: EndpointSlot, request: OpenRequest): void {
    const opening: Opening = { waiting: new WaitingLine(), pooled: undefined };
    slot.opening = opening;
    void this.#settle(slot, request, opening).then((error) => {
      slot.opening = undefined;
      opening.waiting.callAll(error);
      slot.waiting.callAll();
      this.#vacated(request.key, slot);
    });
  }

  /** @returns why there is no connection */
  async #settle(slot: EndpointSlot, request: OpenRequest, opening: Opening): Promise<ProxyError | undefined> {
    const { connection } = request.limits;
    const opened = await this.#open(slot, request, (upstream, events) => {
      opening.pooled = new PooledHttp2(transportOf(upstream), this.#deps, connection, events);
      return opening.pooled.settled();
    });
    if (!opened.ok) return opened.error;
    const error = await opened.value;
    if (error === undefined && opening.pooled !== undefined) this.#add(slot, opening.pooled, request.limits);
    return error;
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
        const at = slot.free.indexOf(pooled);
        if (at >= 0) slot.free.splice(at, 1);
        this.#vacated(key, slot);
      },
      onRoom: () => void slot.waiting.callFirst(),
      onFree: (pooled) => {
        slot.free.push(pooled);
        void slot.waiting.callFirst();
      },
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
      void this.#deps.upstreams.connect(
        endpoint,
        self,
        forwarded,
        answer,
        policy,
        ALPN[version],
        this.#readBuffer(version),
      );
    });
  }

  /** For HTTP/1 only: the codec of HTTP/2 keeps what it is given. */
  #readBuffer(version: UpstreamVersion): Buffer | undefined {
    if (version === 'http1') this.#intakeBuffer ??= Buffer.allocUnsafeSlow(INTAKE_BYTES);
    return version === 'http1' ? this.#intakeBuffer : undefined;
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
    if (slot.waiting.callFirst() || slot.opening !== undefined) return;
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

function checkOut(slot: EndpointSlot | undefined): HttpUpstream | undefined {
  if (slot === undefined) return undefined;
  for (let free = slot.free.pop(); free !== undefined; free = slot.free.pop()) {
    const upstream = free.checkOut();
    if (upstream !== undefined) return upstream;
  }
  for (const connection of slot.connections) {
    const upstream = connection.checkOut();
    if (upstream !== undefined) return upstream;
  }
  return undefined;
}

function transportOf(upstream: Upstream) {
  return upstream.kind === 'tunnel'
    ? streamTransport(upstream.stream)
    : pausableTransport(upstream.socket, upstream.intake);
}
