/**
 * The tokens of requests against all rules that apply (facts l7-and-control 3.3): a request passes when a rule accepts
 * what stands in its places, or when there is nothing in the places of any rule.
 *
 * Invariants:
 * - A token that no rule accepts refuses the request; so do keys that cannot be had.
 * - Headers that rules write never come from the client.
 * - Nothing of a token goes to a log.
 */
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { claimHeaders } from './claim-headers.ts';
import type { JwtRule, KeySource, TokenRules } from './jwt-rule.ts';
import type { KeySet } from './key-set.ts';
import type { Claims } from './read-token.ts';
import { mostTelling, type TokenFailure } from './token-failure.ts';
import { type FoundToken, findTokens, type TokenRequest, withoutTokens } from './token-places.ts';
import { VerifiedTokens } from './verified-tokens.ts';
import { type VerifiedToken, verifyToken } from './verify-token.ts';

/** A request that may go on, as it goes on. */
export interface AuthenticatedRequest extends TokenRequest {
  /** Of the token that was accepted. */
  readonly claims: Claims | undefined;
}

export type TokenOutcome = Result<AuthenticatedRequest, TokenFailure>;

export interface TokenAuthenticatorDeps {
  readonly clock: Clock;
  /** The keys of a source; undefined when they cannot be had. A promise only while they are fetched for the first time. */
  readonly keysOf: (source: KeySource) => KeySet | undefined | Promise<KeySet | undefined>;
}

/** A rule with what stands in its places. */
interface Attempt {
  readonly rule: JwtRule;
  readonly tokens: readonly FoundToken[];
}

export class TokenAuthenticator {
  readonly #deps: TokenAuthenticatorDeps;
  readonly #verified = new VerifiedTokens();

  constructor(deps: TokenAuthenticatorDeps) {
    this.#deps = deps;
  }

  /** At once when there is no token, or one that was seen before. Never rejects. */
  authenticate(pool: TokenRules, request: TokenRequest): TokenOutcome | Promise<TokenOutcome> {
    const clean = withoutOwn(pool, request);
    const attempts: Attempt[] = [];
    for (const rule of pool.rules) {
      const tokens = findTokens(rule.places, request);
      if (tokens.length > 0) attempts.push({ rule, tokens });
    }
    if (attempts.length === 0) return ok({ ...clean, claims: undefined });
    for (const attempt of attempts) {
      const known = this.#known(attempt);
      if (known !== undefined) return ok(accepted(attempt, known, clean));
    }
    return this.#verify(attempts, clean);
  }

  /** The token of a rule, if all in its places were accepted before. */
  #known({ rule, tokens }: Attempt): VerifiedToken | undefined {
    const nowMs = this.#deps.clock.nowMs();
    let first: VerifiedToken | undefined;
    for (const { text } of tokens) {
      const known = this.#verified.get(rule, text, nowMs);
      if (known === undefined || this.#deps.keysOf(rule.keys) !== known.keys) return undefined;
      first ??= known;
    }
    return first;
  }

  async #verify(attempts: readonly Attempt[], clean: TokenRequest): Promise<TokenOutcome> {
    const failures: TokenFailure[] = [];
    for (const attempt of attempts) {
      const verified = await this.#verifyAll(attempt);
      if (verified.ok) return ok(accepted(attempt, verified.value, clean));
      failures.push(verified.error);
    }
    return fail(mostTelling(failures));
  }

  /** Everything in the places of a rule has to be right; the first token speaks. */
  async #verifyAll({ rule, tokens }: Attempt): Promise<Result<VerifiedToken, TokenFailure>> {
    const { clock, keysOf } = this.#deps;
    let first: VerifiedToken | undefined;
    for (const { text } of tokens) {
      const verified = await verifyToken(rule, text, clock.nowMs(), () => keysOf(rule.keys));
      if (!verified.ok) return verified;
      this.#verified.put(rule, text, verified.value);
      first ??= verified.value;
    }
    return first === undefined ? fail('format') : ok(first);
  }
}

function withoutOwn({ ownHeaders }: TokenRules, { headers, target }: TokenRequest): TokenRequest {
  const isClean = ownHeaders.size === 0 || !headers.some(([name]) => ownHeaders.has(name));
  return { headers: isClean ? headers : headers.filter(([name]) => !ownHeaders.has(name)), target };
}

function accepted({ rule, tokens }: Attempt, token: VerifiedToken, clean: TokenRequest): AuthenticatedRequest {
  const { headers, target } = rule.forwardsToken ? clean : withoutTokens(clean, tokens);
  return { headers: [...headers, ...claimHeaders(rule, token)], target, claims: token.claims };
}
