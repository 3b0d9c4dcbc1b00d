/** What every kind of connection to an endpoint has in common. */
import type { AmbitError } from '../base/errors.ts';
import type { Result } from '../base/result.ts';
import type { HttpHeader, HttpStream, HttpStreamHandler } from '../http/http-stream.ts';

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
  /** Closes it if nobody has used it since. */
  closeIfIdleSince(beforeMs: number): void;
  destroy(): void;
}
