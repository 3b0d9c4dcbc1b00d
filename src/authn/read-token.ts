/**
 * A token taken apart, nothing of it believed yet (RFC 7515 7.1, RFC 7519).
 *
 * Invariant: whatever comes in, the work is bounded by the length of the text, and nothing is thrown.
 */
import { fail, ok, type Result } from '../base/result.ts';
import { isPlainJson } from './plain-json.ts';
import type { TokenFailure } from './token-failure.ts';

export type Claims = Readonly<Record<string, unknown>>;

export interface ReadToken {
  readonly text: string;
  readonly alg: string;
  readonly kid: string | undefined;
  /** The payload as it stands in the token: base64url. */
  readonly payload: string;
  readonly claims: Claims;
  /** In seconds since the epoch. */
  readonly expirySec: number | undefined;
  readonly notBeforeSec: number | undefined;
}

/** Longer ones are not looked at. */
const MAX_TOKEN_CHARACTERS = 32_768;
/** Whoever walks over claims later may do so without a bound of its own. */
const MAX_JSON_DEPTH = 32;
/** `none` is not among them, nor will it ever be. */
const ALGORITHMS: ReadonlySet<string> = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512'.split(' '),
);
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

export function readToken(text: string): Result<ReadToken, TokenFailure> {
  const sections = text.length > MAX_TOKEN_CHARACTERS ? [] : text.split('.');
  const [header = '', payload = '', signature = ''] = sections;
  if (sections.length !== 3 || header === '' || payload === '') return fail('format');
  const head = readHeader(header);
  if (!head.ok) return head;
  if (!isBase64url(payload)) return fail('payloadEncoding');
  const claims = jsonObject(payload);
  if (claims === undefined) return fail('payloadJson');
  const wrong = wrongClaim(claims);
  if (wrong !== undefined) return fail(wrong);
  if (!isBase64url(signature)) return fail('signatureEncoding');
  const expirySec = claims['exp'] as number | undefined;
  const notBeforeSec = claims['nbf'] as number | undefined;
  return ok({ text, ...head.value, payload, claims, expirySec, notBeforeSec });
}

function readHeader(section: string): Result<Pick<ReadToken, 'alg' | 'kid'>, TokenFailure> {
  if (!isBase64url(section)) return fail('headerEncoding');
  const header = jsonObject(section);
  if (header === undefined) return fail('headerJson');
  const { alg, kid } = header;
  if (typeof alg !== 'string') return fail('algMissing');
  if (!ALGORITHMS.has(alg)) return fail('algUnknown');
  if (kid !== undefined && typeof kid !== 'string') return fail('kidType');
  // An extension that has to be understood (RFC 7515 4.1.11): none is.
  if (Object.hasOwn(header, 'crit')) return fail('signature');
  return ok({ alg, kid });
}

function wrongClaim({ iss, sub, aud, exp, nbf }: Claims): TokenFailure | undefined {
  if (iss !== undefined && typeof iss !== 'string') return 'issuerType';
  if (sub !== undefined && typeof sub !== 'string') return 'subjectType';
  const isList = Array.isArray(aud) && aud.every((one) => typeof one === 'string');
  if (aud !== undefined && typeof aud !== 'string' && !isList) return 'audienceType';
  if (exp !== undefined && !isTime(exp)) return 'expiryType';
  return nbf !== undefined && !isTime(nbf) ? 'notBeforeType' : undefined;
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** No length of whole bytes leaves one character over. */
function isBase64url(section: string): boolean {
  return section.length % 4 !== 1 && BASE64URL.test(section);
}

function jsonObject(section: string): Claims | undefined {
  try {
    const text = UTF8.decode(Buffer.from(section, 'base64url'));
    if (!isPlainJson(text, MAX_JSON_DEPTH)) return undefined;
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    // Neither UTF-8 nor JSON: that is all that is asked here.
    return undefined;
  }
}
