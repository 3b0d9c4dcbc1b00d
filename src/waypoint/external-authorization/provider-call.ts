/**
 * One question to an external authorizer, and its whole answer.
 *
 * Invariants:
 * - The outcome is reported once, or never after `cancel`; nothing is left of the call then.
 * - It is asked again only where nobody read the question.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { HttpCloseReason, HttpHeader, HttpStream, HttpStreamHandler } from '../../http/http-stream.ts';
import { Http2Code } from '../../http2/http2-error.ts';
import type { Workload } from '../../model/workload.ts';
import type { Outcome, Permit, PickedEndpoint } from '../clusters.ts';
import { connectOutcome } from '../connect-outcome.ts';
import type { HttpUpstreams } from '../http-upstreams.ts';
import { unseen } from '../relay-exchange.ts';
import type { RouteTarget } from '../route-target.ts';
import type { ProviderAnswer, ProviderQuestion } from './verdict.ts';

export interface ProviderCallOptions {
  readonly target: RouteTarget;
  readonly question: ProviderQuestion;
  readonly timeoutMs: number;
  readonly self: Workload;
  readonly forwarded: string;
}

export interface ProviderCallDeps {
  readonly clock: Clock;
  readonly http: HttpUpstreams;
}

type OnOutcome = (outcome: Result<ProviderAnswer, string>) => void;

const MAX_ANSWER_BYTES = 1_048_576;
const MAX_STALE_RETRIES = 2;
const NOTHING: ReadonlySet<string> = new Set();

/** Asks. @returns ends the call without an outcome */
export function callProvider(options: ProviderCallOptions, deps: ProviderCallDeps, onOutcome: OnOutcome): () => void {
  const call = new ProviderCall(options, deps, onOutcome);
  call.start();
  return () => call.cancel();
}

class ProviderCall {
  readonly #options: ProviderCallOptions;
  readonly #deps: ProviderCallDeps;
  readonly #onOutcome: OnOutcome;
  #permit: Permit | undefined;
  #timer: Timer | undefined;
  #picked: PickedEndpoint | undefined;
  #stream: HttpStream | undefined;
  #tries = 0;
  #over = false;
  #status = 0;
  #headers: readonly HttpHeader[] = [];
  #trailers: readonly HttpHeader[] = [];
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(options: ProviderCallOptions, deps: ProviderCallDeps, onOutcome: OnOutcome) {
    this.#options = options;
    this.#deps = deps;
    this.#onOutcome = onOutcome;
  }

  start(): void {
    const { target, timeoutMs } = this.#options;
    this.#permit = target.cluster.admitRequest();
    if (this.#permit === undefined) return this.#fail('it has too many requests already', undefined);
    this.#timer = this.#deps.clock.after(timeoutMs, () => {
      this.#fail(`it did not answer within ${timeoutMs} ms`, { kind: 'timeout' });
    });
    void this.#try();
  }

  cancel(): void {
    this.#end(undefined);
  }

  async #try(): Promise<void> {
    const { target, question, self, forwarded } = this.#options;
    this.#tries += 1;
    const picked = target.cluster.pick(self, { hashKey: undefined, avoid: NOTHING });
    if (picked === undefined) return this.#fail('it has no healthy endpoint', undefined);
    this.#picked = picked;
    const upstream = await this.#deps.http.acquire(
      picked.endpoint,
      target.version,
      self,
      forwarded,
      target.cluster.policy,
    );
    if (this.#over) {
      if (upstream.ok) upstream.value.release();
      return;
    }
    if (!upstream.ok) return this.#fail(upstream.error.message, connectOutcome(upstream.error));
    const { headers, body } = question;
    const opened = upstream.value.request(headers, this.#handler(), body.length === 0);
    if (!opened.ok) {
      upstream.value.release();
      if (opened.error.code.endsWith('_HEADERS_INVALID'))
        return this.#fail('it cannot be asked in these words', undefined);
      return this.#retry(opened.error.message);
    }
    this.#stream = opened.value;
    if (body.length > 0) opened.value.end(body);
  }

  #retry(reason: string): void {
    if (this.#tries > MAX_STALE_RETRIES) return this.#fail(reason, { kind: 'connect-failure' });
    this.#picked?.done(undefined);
    this.#picked = undefined;
    this.#stream = undefined;
    void this.#try();
  }

  #handler(): HttpStreamHandler {
    return {
      onHeaders: (_stream, headers, endStream) => this.#onHeaders(headers, endStream),
      onData: (stream, chunk) => {
        stream.consume(chunk.length);
        if (this.#over) return;
        this.#bytes += chunk.length;
        if (this.#bytes > MAX_ANSWER_BYTES) this.#fail('its answer is too long', { kind: 'reset' });
        else this.#chunks.push(chunk);
      },
      onEnd: () => this.#answered(),
      onWritable: () => undefined,
      onClosed: (stream, reason) => {
        stream.releaseCredit();
        this.#onClosed(reason);
      },
    };
  }

  #onHeaders(headers: readonly HttpHeader[], endStream: boolean): void {
    const status = headers[0]?.[0] === ':status' ? Number(headers[0][1]) : undefined;
    if (status === undefined) this.#trailers = headers;
    else if (status >= 200) {
      this.#status = status;
      this.#headers = headers;
    }
    if (endStream) this.#answered();
  }

  #answered(): void {
    const { headers, trailers } = { headers: this.#headers, trailers: this.#trailers };
    const answer = { status: this.#status, headers, trailers, body: Buffer.concat(this.#chunks) };
    this.#end(() => this.#onOutcome(ok(answer)), { kind: 'status', status: this.#status });
  }

  #onClosed(reason: HttpCloseReason): void {
    if (this.#over) return;
    const isUnread = this.#status === 0 && unseen(reason) !== undefined;
    if (isUnread) this.#retry('it ended the connection');
    else this.#fail('it ended the connection before it answered', { kind: 'reset' });
  }

  #fail(reason: string, outcome: Outcome | undefined): void {
    this.#end(() => this.#onOutcome(fail(reason)), outcome);
  }

  #end(report: (() => void) | undefined, outcome?: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#picked?.done(outcome);
    this.#permit?.release();
    const stream = this.#stream;
    const isAnswered = outcome?.kind === 'status';
    // What was answered before the whole question was read is not sent to its end.
    if (stream !== undefined && (!isAnswered || stream.canSend)) stream.reset(Http2Code.CANCEL);
    report?.();
  }
}
