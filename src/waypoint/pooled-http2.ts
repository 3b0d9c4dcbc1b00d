/** An HTTP/2 connection to an endpoint: as many requests at a time as the endpoint takes. */
import type { Clock } from '../base/clock.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import type { PausableTransport } from '../http1/transport.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { StreamHandler } from '../http2/stream.ts';
import type { ConnectionLimits } from './pool-limits.ts';
import {
  type HttpUpstream,
  isSpent,
  type PooledConnection,
  type PooledDeps,
  type PooledEvents,
} from './pooled-connection.ts';

/** What this side offers as an HTTP/2 client inside a tunnel. */
const SETTINGS = { initialWindowBytes: 1_048_576, connectionWindowBytes: 4_194_304 };

export class PooledHttp2 implements PooledConnection {
  readonly #connection: Http2Connection;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #events: PooledEvents;
  readonly #openedMs: number;
  #promised = 0;
  #requests = 0;
  #usedMs: number;

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
    this.#usedMs = this.#openedMs;
    this.#connection = new Http2Connection(
      transport,
      'client',
      { clock, pool: blocks, settings: SETTINGS },
      { onClosed: () => events.onClosed(this), onStreamClosed: () => queueMicrotask(() => this.#ended()) },
    );
  }

  /**
   * Resolves when the endpoint's settings are known: an answer to a PING comes behind them. The connection is closed where
   * that takes longer than connecting may.
   * @returns why it is not open
   */
  async settled(): Promise<ProxyError | undefined> {
    const { connectTimeoutMs } = this.#limits;
    const connection = this.#connection;
    let isLate = false;
    const timer = this.#clock.after(connectTimeoutMs, () => {
      isLate = true;
      connection.destroy();
    });
    const roundTripMs = await connection.ping();
    timer.cancel();
    if (isLate) {
      return proxyError('CONNECT_TIMED_OUT', `connection failed: no http2 settings in ${connectTimeoutMs} ms`);
    }
    if (roundTripMs >= 0 && !connection.closed) return undefined;
    return proxyError('H2_HANDSHAKE_FAILED', 'http2 handshake failed: the endpoint closed');
  }

  checkOut(): HttpUpstream | undefined {
    const connection = this.#connection;
    const busy = connection.openStreams + this.#promised;
    if (!connection.acceptsRequests || busy >= this.#room() || this.#isSpent()) return undefined;
    this.#promised += 1;
    let redeemed = false;
    const redeem = () => {
      if (!redeemed) this.#promised -= 1;
      redeemed = true;
      this.#usedMs = this.#clock.monotonicMs();
    };
    return {
      reused: this.#requests > 0,
      request: (headers, handler, endStream) => {
        redeem();
        this.#requests += 1;
        return connection.request(headers, handler as StreamHandler, endStream);
      },
      release: () => {
        redeem();
        this.#events.onRoom();
      },
    };
  }

  closeIfIdle(nowMs: number): void {
    const busy = this.#connection.openStreams + this.#promised > 0;
    if (!busy && (nowMs - this.#usedMs >= this.#limits.idleMs || this.#isSpent())) this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #room(): number {
    const { maxStreams } = this.#limits;
    const theirs = this.#connection.peerMaxConcurrentStreams;
    return maxStreams === 0 ? theirs : Math.min(theirs, maxStreams);
  }

  #isSpent(): boolean {
    return isSpent(this.#limits, this.#requests + this.#promised, this.#openedMs, this.#clock);
  }

  #ended(): void {
    if (this.#isSpent() && this.#connection.openStreams + this.#promised === 0) this.#connection.drain();
    else this.#events.onRoom();
  }
}
