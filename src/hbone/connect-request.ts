/** The CONNECT request of a tunnelled connection, and its answer (facts ztunnel-wire 7.2, 7.3). */
import type { Clock, Timer } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { Http2Connection } from '../http2/connection.ts';
import type { Header } from '../http2/header.ts';
import { Http2Code } from '../http2/http2-error.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from '../http2/stream.ts';
import type { TraceIds } from '../telemetry/trace-ids.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

export interface ConnectRequest {
  /** `ip:port`, `[v6]:port` or `hostname:port`. */
  readonly authority: string;
  readonly baggage: string;
  readonly forwarded: string;
  readonly traceparent: string;
  /** The sender's network, on the inner request of a double tunnel. */
  readonly originNetwork?: string;
}

/** Called once: with the accepted stream and the peer's headers, or with the reason why there is none. */
export type ConnectAnswer = (result: Result<{ stream: Http2Stream; headers: readonly Header[] }, ProxyError>) => void;

/** The other end's own connect takes 10 s at most; what it asks others for before that, as much again and more. */
export const ANSWER_TIMEOUT_MS = 30_000;

/** How long to wait for the answer. */
export interface AnswerLimit {
  readonly clock: Clock;
  /** Default `ANSWER_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
}

/**
 * Asks the tunnel's other end for a connection. Until the caller gives the accepted stream a handler of its own,
 * which it does before it returns from `answer`, this one holds it. A peer that never answers keeps nothing: PINGs only tell
 * that its HTTP/2 lives.
 * @returns the stream, to give up while no answer came; undefined when the request could not be sent
 */
export function requestConnect(
  connection: Http2Connection,
  request: ConnectRequest,
  { clock, timeoutMs = ANSWER_TIMEOUT_MS }: AnswerLimit,
  answer: ConnectAnswer,
): Http2Stream | undefined {
  const pending = new PendingConnect(connection, answer);
  const opened = connection.request(requestHeaders(request), pending);
  if (opened.ok) {
    pending.giveUpAfter(timeoutMs, opened.value, clock);
    return opened.value;
  }
  answer(fail(proxyError('H2_FAILED', `h2 failed: ${opened.error.message}`, { cause: opened.error })));
  return undefined;
}

/** The reasons of the statuses that tunnel servers and waypoints answer with. */
const REASONS: Readonly<Record<string, string>> = {
  '400': 'Bad Request',
  '401': 'Unauthorized',
  '403': 'Forbidden',
  '404': 'Not Found',
  '405': 'Method Not Allowed',
  '429': 'Too Many Requests',
  '500': 'Internal Server Error',
  '502': 'Bad Gateway',
  '503': 'Service Unavailable',
  '504': 'Gateway Timeout',
};

function requestHeaders(request: ConnectRequest): Header[] {
  const headers: Header[] = [
    [':method', 'CONNECT'],
    [':authority', request.authority],
    ['baggage', request.baggage],
    ['forwarded', request.forwarded],
    ['traceparent', request.traceparent],
  ];
  if (request.originNetwork !== undefined) headers.push(['x-forwarded-network', request.originNetwork]);
  return headers;
}

class PendingConnect implements StreamHandler {
  readonly #connection: Http2Connection;
  readonly #answer: ConnectAnswer;
  #answered = false;
  #timer: Timer | undefined;

  constructor(connection: Http2Connection, answer: ConnectAnswer) {
    this.#connection = connection;
    this.#answer = answer;
  }

  giveUpAfter(timeoutMs: number, stream: Http2Stream, clock: Clock): void {
    if (this.#answered) return;
    this.#timer = clock.after(timeoutMs, () => {
      const text = `h2 failed: no answer to CONNECT in ${timeoutMs / 1000} s; the proxy at the other end takes tunnels, but serves none`;
      this.#settle(fail(proxyError('H2_FAILED', text)));
      stream.reset(Http2Code.CANCEL);
    });
  }

  onHeaders(stream: Http2Stream, headers: readonly Header[], endStream: boolean): void {
    const status = headers.find(([name]) => name === ':status')?.[1] ?? '';
    if (status.startsWith('1')) return;
    if (status === '200' && !endStream) return this.#settle(ok({ stream, headers }));
    this.#settle(fail(proxyError('HTTP_STATUS', `http status: ${status} ${REASONS[status] ?? ''}`.trimEnd())));
    stream.reset(Http2Code.CANCEL);
  }

  onData(stream: Http2Stream, chunk: Buffer): void {
    stream.consume(chunk.length);
  }

  onEnd(): void {
    // An end before the answer is followed by onClosed, which tells why.
  }

  onWritable(): void {
    // Nothing is written before the answer.
  }

  onClosed(_stream: Http2Stream, reason: StreamCloseReason): void {
    // A peer that never sent its settings does not speak HTTP/2, whatever TLS agreed on.
    const spoke = this.#connection.counters.settingsReceived > 0;
    const error =
      reason.kind === 'lost' && !spoke
        ? proxyError('H2_HANDSHAKE_FAILED', `http2 handshake failed: ${closeText(reason)}`)
        : proxyError('H2_FAILED', `h2 failed: ${closeText(reason)}`);
    this.#settle(fail(error));
  }

  #settle(result: Parameters<ConnectAnswer>[0]): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#timer?.cancel();
    this.#answer(result);
  }
}

function closeText(reason: StreamCloseReason): string {
  switch (reason.kind) {
    case 'normal':
      return 'stream ended before a response';
    case 'reset':
      return `stream reset by the ${reason.by === 'peer' ? 'peer' : 'proxy'} with code ${reason.code}`;
    case 'unprocessed':
      return 'the peer is going away';
    case 'lost':
      return reason.error?.message ?? 'connection closed';
  }
}

/** A fresh trace for each connection (facts ztunnel-wire 7.2). */
export function newTraceparent(ids: TraceIds): string {
  return `00-${ids.traceId()}-${ids.spanId()}-00`;
}
