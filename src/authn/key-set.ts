/**
 * The public keys of an issuer (RFC 7517).
 *
 * Invariant: a key verifies only algorithms of its own type, so a public key is never taken for a shared secret.
 */
import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { ReadToken } from './read-token.ts';
import type { TokenFailure } from './token-failure.ts';

/** More of one issuer are not looked at. */
const MAX_KEYS = 100;
const KEY_TYPES: Readonly<Record<string, string>> = { RS: 'RSA', PS: 'RSA', ES: 'EC', Ed: 'OKP', HS: 'oct' };

type VerifyingKey = CryptoKey | Uint8Array;

interface HeldKey {
  readonly jwk: JWK;
  /** By algorithm; undefined for one that the key is not fit for. */
  readonly imported: Map<string, Promise<VerifyingKey | undefined>>;
}

export class KeySet {
  readonly #keys: readonly HeldKey[];

  constructor(keys: readonly JWK[]) {
    this.#keys = keys.slice(0, MAX_KEYS).map((jwk) => ({ jwk, imported: new Map() }));
  }

  /** Whether one of the keys signed the token. Never rejects. @returns undefined when one did */
  async verify(token: ReadToken): Promise<TokenFailure | undefined> {
    const fitting = this.#keys.filter(({ jwk }) => fits(jwk, token));
    for (const held of fitting) {
      const key = await keyFor(held, token.alg);
      if (key !== undefined && (await isSigned(token, key))) return undefined;
    }
    return fitting.length === 0 ? 'noKey' : 'signature';
  }
}

/** The keys of a set as text; undefined when it is none. Never throws. */
export function parseKeySet(text: string): KeySet | undefined {
  try {
    const set: unknown = JSON.parse(text);
    const keys = typeof set === 'object' && set !== null ? (set as { keys?: unknown }).keys : undefined;
    if (!Array.isArray(keys)) return undefined;
    return new KeySet(keys.filter((key) => typeof key === 'object' && key !== null && typeof key.kty === 'string'));
  } catch {
    // No JSON: there is nothing to verify with.
    return undefined;
  }
}

/** By type, and by what key and token say of themselves (RFC 7517 4.2 to 4.5). */
function fits(jwk: JWK, { alg, kid }: ReadToken): boolean {
  if (jwk.kty !== KEY_TYPES[alg.slice(0, 2)]) return false;
  if (jwk.alg !== undefined && jwk.alg !== alg && !(jwk.alg === 'Ed25519' && alg === 'EdDSA')) return false;
  if (jwk.use !== undefined && jwk.use !== 'sig') return false;
  return kid === undefined || jwk.kid === undefined || jwk.kid === kid;
}

function keyFor({ jwk, imported }: HeldKey, alg: string): Promise<VerifyingKey | undefined> {
  const known = imported.get(alg);
  if (known !== undefined) return known;
  const key = importPublic(jwk, alg);
  imported.set(alg, key);
  return key;
}

async function importPublic(jwk: JWK, alg: string): Promise<VerifyingKey | undefined> {
  try {
    // Only the public part: a set may hold a private key by mistake, which is not needed here.
    const { kty, n, e, crv, x, y, k } = jwk;
    const key = kty === 'oct' ? { kty, k } : { kty, n, e, crv, x, y };
    return await importJWK(key as JWK, alg);
  } catch {
    // A key that cannot be used is as good as none.
    return undefined;
  }
}

async function isSigned({ text, alg }: ReadToken, key: VerifyingKey): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [alg] });
    return true;
  } catch {
    // What the library objects to may quote the token, and goes nowhere.
    return false;
  }
}
