/** What every kind of connection to an endpoint has in common. */
import type { Clock } from '../base/clock.ts';
import type { AmbitError } from '../base/errors.ts';
import type { Result } from '../base/result.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { ConnectionLimits } from './pool-limits.ts';

/** A connection that a request can go out on. */
export interface HttpUpstream {
  /** Whether requests went out on it before. */
  readonly reused: boolean;
  request(
    headers: readonly HttpHeader[],
    handler: HttpStreamHandler,
    endStream: boolean,
  ): Result<HttpStream, AmbitError>;
  /** No request goes out on it after all, or it did not take the one that was meant to. */
  release(): void;
}

/** A connection in the list of its endpoint. */
export interface PooledConnection {
  /** An upstream for one more request; undefined when it has no room now. */
  checkOut(): HttpUpstream | undefined;
  /** Closes it if nobody has used it for so long that it is not kept any more. */
  closeIfIdle(nowMs: number): void;
  destroy(): void;
}

export interface PooledDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
}

export interface PooledEvents {
  onClosed(pooled: PooledConnection): void;
  /** There may be room for one more request. */
  onRoom(): void;
  /** As `onRoom`, of a connection that nobody uses now. */
  onFree(pooled: PooledConnection): void;
}

/** Whether a connection that is open since then has done as much as it may. */
export function isSpent(limits: ConnectionLimits, requests: number, openedMs: number, clock: Clock): boolean {
  const { maxRequests, maxAgeMs } = limits;
  return (maxRequests > 0 && requests >= maxRequests) || (maxAgeMs > 0 && clock.monotonicMs() - openedMs >= maxAgeMs);
}
