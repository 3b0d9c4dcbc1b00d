/** Whether a token is what a rule asks for (facts l7-and-control 3.3): its claims first, then who signed it. */
import { fail, ok, type Result } from '../base/result.ts';
import type { JwtRule } from './jwt-rule.ts';
import type { KeySet } from './key-set.ts';
import { type Claims, type ReadToken, readToken } from './read-token.ts';
import type { TokenFailure } from './token-failure.ts';

export interface VerifiedToken {
  /** With lists in place of the texts that the rule splits. */
  readonly claims: Claims;
  /** As the issuer wrote them. */
  readonly written: Claims;
  /** base64url. */
  readonly payload: string;
  /** Until then it needs no other look; infinite for one without expiry. */
  readonly expiryMs: number;
  readonly keys: KeySet;
}

/** How far the clocks of issuers may be off. */
const CLOCK_SKEW_SEC = 60;

/** Never rejects. @param keysOf is asked for once the claims are right */
export async function verifyToken(
  rule: JwtRule,
  text: string,
  nowMs: number,
  keysOf: () => KeySet | undefined | Promise<KeySet | undefined>,
): Promise<Result<VerifiedToken, TokenFailure>> {
  const token = readToken(text);
  if (!token.ok) return token;
  const wrong = claimFailure(rule, token.value, nowMs / 1000);
  if (wrong !== undefined) return fail(wrong);
  const keys = await keysOf();
  if (keys === undefined) return fail('keysMissing');
  const failure = await keys.verify(token.value);
  if (failure !== undefined) return fail(failure);
  const { claims, payload, expirySec } = token.value;
  const expiryMs = (expirySec ?? Number.POSITIVE_INFINITY) * 1000;
  return ok({ claims: splitClaims(claims, rule.splitClaims), written: claims, payload, expiryMs, keys });
}

function claimFailure(
  { issuer, audiences }: JwtRule,
  { claims, notBeforeSec, expirySec }: ReadToken,
  nowSec: number,
): TokenFailure | undefined {
  const { iss, aud } = claims;
  if (issuer !== '' && iss !== issuer) return 'issuer';
  if (notBeforeSec !== undefined && nowSec + CLOCK_SKEW_SEC < notBeforeSec) return 'notYet';
  if (expirySec !== undefined && nowSec > expirySec + CLOCK_SKEW_SEC) return 'expired';
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return audiences.length === 0 || audiences.some((one) => named.includes(one)) ? undefined : 'audience';
}

function splitClaims(claims: Claims, names: readonly string[]): Claims {
  const split = names
    .filter((name) => Object.hasOwn(claims, name) && typeof claims[name] === 'string')
    .map((name) => [name, String(claims[name]).split(' ').filter(Boolean)] as const);
  return split.length === 0 ? claims : { ...claims, ...Object.fromEntries(split) };
}
