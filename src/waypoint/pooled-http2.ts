/** An HTTP/2 connection to an endpoint: as many requests at a time as the endpoint takes. */
import type { Clock } from '../base/clock.ts';
import type { PausableTransport } from '../http1/transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { StreamHandler } from '../http2/stream.ts';
import type { HttpUpstream, PooledConnection } from './pooled-connection.ts';

/** What this side offers as an HTTP/2 client inside a tunnel. */
const SETTINGS = { initialWindowBytes: 1_048_576, connectionWindowBytes: 4_194_304 };

export class PooledHttp2 implements PooledConnection {
  readonly #connection: Http2Connection;
  readonly #clock: Clock;
  #promised = 0;
  #requests = 0;
  #usedMs: number;

  constructor(
    transport: PausableTransport,
    { clock, blocks }: { readonly clock: Clock; readonly blocks: BlockPool },
    onClosed: (pooled: PooledConnection) => void,
  ) {
    this.#clock = clock;
    this.#usedMs = clock.monotonicMs();
    this.#connection = new Http2Connection(
      transport,
      'client',
      { clock, pool: blocks, settings: SETTINGS },
      { onClosed: () => onClosed(this) },
    );
  }

  /** Resolves when the endpoint's settings are known: an answer to a PING comes behind them. @returns whether it is open */
  async settled(): Promise<boolean> {
    return (await this.#connection.ping()) >= 0 && !this.#connection.closed;
  }

  checkOut(): HttpUpstream | undefined {
    const connection = this.#connection;
    const busy = connection.openStreams + this.#promised;
    if (!connection.acceptsRequests || busy >= connection.peerMaxConcurrentStreams) return undefined;
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
      release: redeem,
    };
  }

  closeIfIdleSince(beforeMs: number): void {
    const busy = this.#connection.openStreams + this.#promised > 0;
    if (!busy && this.#usedMs <= beforeMs) this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }
}
