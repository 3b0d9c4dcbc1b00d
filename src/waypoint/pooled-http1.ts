/** An HTTP/1.1 connection to an endpoint: one request at a time. */
import type { Clock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { fail } from '../base/result.ts';
import { Http1ClientConnection } from '../http1/client-connection.ts';
import type { PausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { HttpUpstream, PooledConnection } from './pooled-connection.ts';

export class PooledHttp1 implements PooledConnection {
  readonly #connection: Http1ClientConnection;
  readonly #clock: Clock;
  #checkedOut = false;
  #idleSinceMs: number;

  constructor(
    transport: PausableTransport,
    { clock, blocks }: { readonly clock: Clock; readonly blocks: BlockPool },
    onClosed: (pooled: PooledConnection) => void,
  ) {
    this.#clock = clock;
    this.#idleSinceMs = clock.monotonicMs();
    this.#connection = new Http1ClientConnection(
      transport,
      { clock, pool: blocks },
      { onIdle: () => this.#returned(), onClosed: () => onClosed(this) },
    );
  }

  checkOut(): HttpUpstream | undefined {
    const connection = this.#connection;
    if (this.#checkedOut || !connection.acceptsRequests) return undefined;
    this.#checkedOut = true;
    return {
      reused: connection.requests > 0,
      request: (headers, handler, endStream) => connection.request(headers, handler, endStream),
      release: () => this.#returned(),
    };
  }

  /** Stands for a connection that was lost before its first request. */
  unusable(): HttpUpstream {
    const error = new AmbitError('HTTP1_NOT_ACCEPTING', 'the connection was lost before its first request');
    return { reused: true, request: () => fail(error), release: () => undefined };
  }

  closeIfIdleSince(beforeMs: number): void {
    if (!this.#checkedOut && this.#idleSinceMs <= beforeMs) this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #returned(): void {
    this.#checkedOut = false;
    this.#idleSinceMs = this.#clock.monotonicMs();
    if (!this.#connection.acceptsRequests && this.#connection.idle) this.#connection.destroy();
  }
}
