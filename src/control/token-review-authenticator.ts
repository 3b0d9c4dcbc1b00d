/**
 * Who calls, as the API server says: TokenReview with the audience of the CA (facts ztunnel-wire 10.3).
 *
 * Invariants:
 * - Tokens are kept as hashes only, and never reach a log or an error.
 * - An answer counts for a short while only: a deleted pod's token ends with its pod. The cache is bounded.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { TOKEN_REVIEWS } from '../kube/resource-kind.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { type Caller, callerOfSubject, type TokenAuthenticator, type TokenErrorCode } from './caller.ts';

export interface TokenReviewOptions {
  /** Default `istio-ca`. */
  readonly audience?: string;
}

type Verdict = Result<Caller, AmbitError<TokenErrorCode>>;

const MAX_TOKEN_BYTES = 16 * 1024;
const MAX_CACHED = 2000;
const ACCEPTED_MS = 20_000;
/** A flood of one bad token costs one review. */
const REFUSED_MS = 5000;
const REVIEW_TIMEOUT_MS = 10_000;
/** Reviews at one time; a flood of different tokens must not reach the API server as such. */
const MAX_REVIEWS = 256;
const EXTRA = 'authentication.kubernetes.io/';

export class TokenReviewAuthenticator implements TokenAuthenticator {
  readonly #audience: string;
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #known = new LRUCache<string, { readonly verdict: Verdict; readonly endMs: number }>({ max: MAX_CACHED });
  readonly #running = new Map<string, Promise<Verdict>>();

  constructor(options: TokenReviewOptions, deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#audience = options.audience ?? 'istio-ca';
    this.#client = deps.client;
    this.#clock = deps.clock;
  }

  async authenticate(token: string): Promise<Verdict> {
    if (token === '') return refuse('TOKEN_MISSING', 'the call carries no bearer token');
    if (token.length > MAX_TOKEN_BYTES) {
      return refuse('TOKEN_INVALID', `the token is larger than ${MAX_TOKEN_BYTES} bytes`);
    }
    const id = hash('sha256', token, 'base64');
    const known = this.#known.get(id);
    if (known !== undefined && this.#clock.monotonicMs() < known.endMs) return known.verdict;
    const running = this.#running.get(id);
    if (running !== undefined) return running;
    if (this.#running.size >= MAX_REVIEWS) return refuse('TOKEN_REVIEW_FAILED', 'too many tokens are being reviewed');
    const review = this.#review(token).finally(() => this.#running.delete(id));
    this.#running.set(id, review);
    const verdict = await review;
    this.#remember(id, verdict);
    return verdict;
  }

  #remember(id: string, verdict: Verdict): void {
    if (!verdict.ok && verdict.error.code === 'TOKEN_REVIEW_FAILED') return;
    this.#known.set(id, { verdict, endMs: this.#clock.monotonicMs() + (verdict.ok ? ACCEPTED_MS : REFUSED_MS) });
  }

  async #review(token: string): Promise<Verdict> {
    const body = { metadata: {}, spec: { token, audiences: [this.#audience] } };
    const answer = await this.#client.create(TOKEN_REVIEWS, '', body, { timeoutMs: REVIEW_TIMEOUT_MS });
    if (!answer.ok) return refuse('TOKEN_REVIEW_FAILED', answer.error.message);
    const status = fieldsOf(answer.value['status']);
    const { authenticated, audiences, error } = status;
    if (authenticated !== true) return refuse('TOKEN_INVALID', typeof error === 'string' ? error : 'not authenticated');
    // A server that knows no audiences leaves them out; then it has not checked them (TokenReview API).
    if (!Array.isArray(audiences) || !audiences.includes(this.#audience)) {
      return refuse('TOKEN_INVALID', `the token is not for the audience ${this.#audience}`);
    }
    return callerOf(fieldsOf(status['user']));
  }
}

function callerOf(user: Readonly<Record<string, unknown>>): Verdict {
  const account = callerOfSubject(typeof user['username'] === 'string' ? user['username'] : '');
  if (account === undefined) return refuse('TOKEN_INVALID', 'the subject is not a service account');
  const extra = fieldsOf(user['extra']);
  return ok({
    ...account,
    podName: firstText(extra[`${EXTRA}pod-name`]),
    podUid: firstText(extra[`${EXTRA}pod-uid`]),
    nodeName: firstText(extra[`${EXTRA}node-name`]),
  });
}

function firstText(value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return typeof first === 'string' ? first : '';
}

function refuse(code: TokenErrorCode, message: string): Result<never, AmbitError<TokenErrorCode>> {
  return fail(new AmbitError(code, message, { side: 'downstream' }));
}
