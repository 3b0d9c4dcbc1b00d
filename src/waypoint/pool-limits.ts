/** How many connections to a cluster there may be, and what each may carry (facts l7-and-control 2.3). */
import { CircuitBreaker } from '../balance/circuit-breaker.ts';
import { CONNECT_TIMEOUT_MS } from '../net/tcp-dialer.ts';
import type { ConnectionPool, TrafficPolicy } from '../proto/gen/ambit.ts';

/** What one connection may carry. */
export interface ConnectionLimits {
  /** How long an HTTP/2 endpoint that is connected may take to say its settings. */
  readonly connectTimeoutMs: number;
  /** Requests in all; 0 for no limit. */
  readonly maxRequests: number;
  /** Of HTTP/2, at a time; 0: as many as the endpoint takes. */
  readonly maxStreams: number;
  /** A connection without requests is closed after this. */
  readonly idleMs: number;
  /** Older ones take no more requests; 0 for no limit. */
  readonly maxAgeMs: number;
}

export interface PoolLimits {
  /** Connections are shared under the same policy only. */
  readonly id: number;
  readonly breaker: CircuitBreaker;
  readonly connection: ConnectionLimits;
}

const DEFAULT_IDLE_MS = 60_000;

/** The limits that go with each policy, for as long as the policy is the same object. */
export class PoolLimitsByPolicy {
  readonly #known = new WeakMap<TrafficPolicy, PoolLimits>();
  readonly #unlimited = limitsOf(0, undefined);
  #lastId = 0;

  of(policy: TrafficPolicy | undefined): PoolLimits {
    if (policy === undefined) return this.#unlimited;
    let limits = this.#known.get(policy);
    if (limits === undefined) {
      this.#lastId += 1;
      limits = limitsOf(this.#lastId, policy.connectionPool);
      this.#known.set(policy, limits);
    }
    return limits;
  }
}

function limitsOf(id: number, pool: ConnectionPool | undefined): PoolLimits {
  return {
    id,
    breaker: new CircuitBreaker({
      connections: pool?.maxConnections ?? 0,
      pending: pool?.maxPendingRequests ?? 0,
      requests: 0,
      retries: 0,
    }),
    connection: {
      connectTimeoutMs: pool?.connectTimeoutMs || CONNECT_TIMEOUT_MS,
      maxRequests: pool?.maxRequestsPerConnection ?? 0,
      maxStreams: pool?.maxConcurrentStreams ?? 0,
      idleMs: pool?.idleTimeoutMs || DEFAULT_IDLE_MS,
      maxAgeMs: pool?.maxConnectionDurationMs ?? 0,
    },
  };
}
