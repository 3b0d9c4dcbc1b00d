/**
 * Who calls, as the API server says: TokenReview with the audience of the CA (facts ztunnel-wire 10.3).
 *
 * Invariants:
 * - Tokens are kept as hashes only, and never reach a log or an error.
 * - An answer counts for a short while only: a deleted pod's token ends with its pod. The cache is bounded.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { ReviewCache } from '../kube/review-cache.ts';
import { type ReviewedUser, reviewToken } from '../kube/token-review.ts';
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
/** Reviews at one time; a flood of different tokens must not reach the API server as such. */
const MAX_REVIEWS = 256;
const EXTRA = 'authentication.kubernetes.io/';

export class TokenReviewAuthenticator implements TokenAuthenticator {
  readonly #audience: string;
  readonly #client: KubeClient;
  readonly #verdicts: ReviewCache<Verdict>;

  constructor(options: TokenReviewOptions, deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#audience = options.audience ?? 'istio-ca';
    this.#client = deps.client;
    this.#verdicts = new ReviewCache({ maxAnswers: MAX_CACHED, maxRunning: MAX_REVIEWS, keepMs }, deps.clock);
  }

  async authenticate(token: string): Promise<Verdict> {
    if (token === '') return refuse('TOKEN_MISSING', 'the call carries no bearer token');
    if (token.length > MAX_TOKEN_BYTES) {
      return refuse('TOKEN_INVALID', `the token is larger than ${MAX_TOKEN_BYTES} bytes`);
    }
    const verdict = await this.#verdicts.answer(hash('sha256', token, 'base64'), () => this.#review(token));
    return verdict ?? refuse('TOKEN_REVIEW_FAILED', 'too many tokens are being reviewed');
  }

  async #review(token: string): Promise<Verdict> {
    const answer = await reviewToken(this.#client, token, [this.#audience]);
    if (!answer.ok) return refuse('TOKEN_REVIEW_FAILED', answer.error.message);
    const review = answer.value;
    if (!review.isAuthenticated) return refuse('TOKEN_INVALID', review.reason);
    // A server that knows no audiences leaves them out; then it has not checked them (TokenReview API).
    if (review.audiences?.includes(this.#audience) !== true) {
      return refuse('TOKEN_INVALID', `the token is not for the audience ${this.#audience}`);
    }
    return callerOf(review.user);
  }
}

function keepMs(verdict: Verdict): number {
  if (verdict.ok) return ACCEPTED_MS;
  return verdict.error.code === 'TOKEN_REVIEW_FAILED' ? 0 : REFUSED_MS;
}

function callerOf({ name, extra }: ReviewedUser): Verdict {
  const account = callerOfSubject(name);
  if (account === undefined) return refuse('TOKEN_INVALID', 'the subject is not a service account');
  const first = (field: string) => extra[`${EXTRA}${field}`]?.[0] ?? '';
  return ok({ ...account, podName: first('pod-name'), podUid: first('pod-uid'), nodeName: first('node-name') });
}

function refuse(code: TokenErrorCode, message: string): Result<never, AmbitError<TokenErrorCode>> {
  return fail(new AmbitError(code, message, { side: 'downstream' }));
}
