/**
 * Tokens that were verified not long ago, so that a client that keeps its token is not verified at each request.
 *
 * Invariant: an entry counts for the rule and the keys it was verified with, and never beyond the token's expiry.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { JwtRule } from './jwt-rule.ts';
import type { VerifiedToken } from './verify-token.ts';

interface Entry {
  readonly rule: JwtRule;
  readonly token: VerifiedToken;
}

const MAX_TOKENS = 4_096;
/** Of payloads, as text. */
const MAX_TOTAL_CHARACTERS = 8_388_608;

export class VerifiedTokens {
  readonly #entries = new LRUCache<string, Entry>({
    max: MAX_TOKENS,
    maxSize: MAX_TOTAL_CHARACTERS,
    sizeCalculation: ({ token }) => token.payload.length + 1,
  });

  /** What is known of a token under a rule, if it still holds. */
  get(rule: JwtRule, text: string, nowMs: number): VerifiedToken | undefined {
    const key = digest(text);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.rule !== rule) return undefined;
    if (nowMs < entry.token.expiryMs) return entry.token;
    this.#entries.delete(key);
    return undefined;
  }

  put(rule: JwtRule, text: string, token: VerifiedToken): void {
    this.#entries.set(digest(text), { rule, token });
  }
}

/** The tokens themselves are not kept. */
function digest(text: string): string {
  return hash('sha256', text, 'base64');
}
