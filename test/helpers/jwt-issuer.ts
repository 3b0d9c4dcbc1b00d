/** An issuer of tokens: real keys, tokens that it signs, and the set of its public keys. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export class JwtIssuer {
  readonly name: string;
  readonly alg: string;
  readonly kid: string;
  readonly jwk: JWK;
  readonly #key: CryptoKey;

  private constructor(name: string, alg: string, kid: string, jwk: JWK, key: CryptoKey) {
    this.name = name;
    this.alg = alg;
    this.kid = kid;
    this.jwk = jwk;
    this.#key = key;
  }

  static async create(name: string, alg: string, kid = `${alg}-key`): Promise<JwtIssuer> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    return new JwtIssuer(name, alg, kid, { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, privateKey);
  }

  /** `{"keys": [...]}` */
  get jwks(): string {
    return JSON.stringify({ keys: [this.jwk] });
  }

  /** A token of `sub: tester`; claims and header may replace what it has. */
  sign(claims: JWTPayload = {}, header: Record<string, unknown> = {}): Promise<string> {
    return new SignJWT({ iss: this.name, sub: 'tester', ...claims })
      .setProtectedHeader({ alg: this.alg, kid: this.kid, ...header })
      .sign(this.#key);
  }
}

/** A part of a token from anything that is JSON, or from bytes. */
export function tokenPart(value: unknown): string {
  return Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url');
}
