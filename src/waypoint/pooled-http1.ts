/** An HTTP/1.1 connection to an endpoint: one request at a time. */
import type { Clock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { fail, type Result } from '../base/result.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';
import { Http1ClientConnection } from '../http1/client-connection.ts';
import type { PausableTransport } from '../http1/transport.ts';
import type { ConnectionLimits } from './pool-limits.ts';
import {
  type HttpUpstream,
  isSpent,
  type PooledConnection,
  type PooledDeps,
  type PooledEvents,
} from './pooled-connection.ts';

/** It is its own upstream: whoever checked it out is the only one who uses it. */
export class PooledHttp1 implements PooledConnection, HttpUpstream {
  readonly #connection: Http1ClientConnection;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #events: PooledEvents;
  readonly #openedMs: number;
  #checkedOut = false;
  reused = false;
  #idleSinceMs: number;

  constructor(
    transport: PausableTransport,
    { clock, blocks }: PooledDeps,
    limits: ConnectionLimits,
    events: PooledEvents,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#events = events;
    this.#openedMs = clock.monotonicMs();
    this.#idleSinceMs = this.#openedMs;
    this.#connection = new Http1ClientConnection(
      transport,
      { clock, pool: blocks },
      { onIdle: () => this.#returned(), onClosed: () => events.onClosed(this) },
    );
  }

  checkOut(): HttpUpstream | undefined {
    const connection = this.#connection;
    if (this.#checkedOut || !connection.acceptsRequests || this.#isSpent()) return undefined;
    this.#checkedOut = true;
    this.reused = connection.requests > 0;
    return this;
  }

  request(
    headers: readonly HttpHeader[],
    handler: HttpStreamHandler,
    endStream: boolean,
  ): Result<HttpStream, AmbitError> {
    return this.#connection.request(headers, handler, endStream);
  }

  release(): void {
    this.#returned();
  }

  /** Stands for a connection that was lost before its first request. */
  unusable(): HttpUpstream {
    const error = new AmbitError('HTTP1_NOT_ACCEPTING', 'the connection was lost before its first request');
    return { reused: true, request: () => fail(error), release: () => undefined };
  }

  closeIfIdle(nowMs: number): void {
    if (!this.#checkedOut && nowMs - this.#idleSinceMs >= this.#limits.idleMs) this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #returned(): void {
    const connection = this.#connection;
    this.#checkedOut = false;
    this.#idleSinceMs = this.#clock.monotonicMs();
    if (!connection.acceptsRequests && connection.idle) return connection.destroy();
    if (this.#isSpent()) connection.drain();
    else this.#events.onFree(this);
  }

  #isSpent(): boolean {
    return isSpent(this.#limits, this.#connection.requests, this.#openedMs, this.#clock);
  }
}
