/** Who calls, by a file of public keys: for control planes without an API server (facts ztunnel-wire 5.1, 10.3). */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type Caller, callerOfSubject, type TokenAuthenticator, type TokenErrorCode } from './caller.ts';

export interface KeyFileAuthenticatorOptions {
  /** PEM public keys, or a JSON Web Key Set. */
  readonly keyFile: string;
  /** Default `istio-ca`. */
  readonly audience?: string;
  /** Default: any. */
  readonly issuer?: string;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const MAX_TOKEN_BYTES = 16 * 1024;
const MAX_KEYS = 32;
const PEM_KEY = /-----BEGIN (?:RSA )?PUBLIC KEY-----[^-]+-----END (?:RSA )?PUBLIC KEY-----/g;

const bindingSchema = z.object({
  namespace: z.string().optional(),
  node: z.object({ name: z.string() }).optional(),
  pod: z.object({ name: z.string(), uid: z.string() }).optional(),
  serviceaccount: z.object({ name: z.string() }).optional(),
});
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })) });

interface VerificationKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
}

/** Verifies tokens against a file of public keys; a changed file is read again. */
export class KeyFileAuthenticator implements TokenAuthenticator {
  readonly #options: KeyFileAuthenticatorOptions;
  readonly #clock: Clock;
  #keys: readonly VerificationKey[] = [];
  #identity = '';

  constructor(options: KeyFileAuthenticatorOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  async authenticate(token: string): Promise<Result<Caller, AmbitError<TokenErrorCode>>> {
    if (token === '') return refuse('TOKEN_MISSING', 'the call carries no bearer token');
    if (token.length > MAX_TOKEN_BYTES)
      return refuse('TOKEN_INVALID', `the token is larger than ${MAX_TOKEN_BYTES} bytes`);
    const problem = await this.#loadKeys();
    if (problem !== undefined) return refuse('TOKEN_KEYS_UNREADABLE', problem);
    let reason = `no key of ${this.#options.keyFile} fits the token`;
    const kid = keyIdOf(token);
    for (const candidate of this.#keys) {
      if (kid !== undefined && candidate.kid !== undefined && kid !== candidate.kid) continue;
      const outcome = await this.#verify(token, candidate.key);
      if (outcome.ok) return outcome;
      if (outcome.error.code === 'TOKEN_EXPIRED') return outcome;
      reason = outcome.error.message;
    }
    return refuse('TOKEN_INVALID', reason);
  }

  async #verify(token: string, key: KeyObject): Promise<Result<Caller, AmbitError<TokenErrorCode>>> {
    const { audience = 'istio-ca', issuer } = this.#options;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ALGORITHMS,
        audience,
        currentDate: new Date(this.#clock.nowMs()),
        requiredClaims: ['exp', 'sub'],
        ...(issuer === undefined ? {} : { issuer }),
      });
      return callerOf(payload.sub ?? '', payload['kubernetes.io']);
    } catch (error) {
      if (error instanceof errors.JWTExpired) return refuse('TOKEN_EXPIRED', 'the token has expired');
      return refuse('TOKEN_INVALID', errorText(error));
    }
  }

  async #loadKeys(): Promise<string | undefined> {
    const { keyFile } = this.#options;
    try {
      const stats = await stat(keyFile);
      const identity = `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
      if (identity === this.#identity) return undefined;
      const keys = parseKeys(await readFile(keyFile, 'utf8'));
      if (keys.length === 0) return `${keyFile} holds no public key`;
      this.#keys = keys;
      this.#identity = identity;
      return undefined;
    } catch (error) {
      // Keys that were good once stay good while the file is being replaced.
      return this.#keys.length > 0 ? undefined : `${keyFile} cannot be used: ${errorText(error)}`;
    }
  }
}

function parseKeys(text: string): VerificationKey[] {
  const pems = text.match(PEM_KEY);
  if (pems !== null) return pems.slice(0, MAX_KEYS).map((pem) => ({ kid: undefined, key: createPublicKey(pem) }));
  const { keys } = keySetSchema.parse(JSON.parse(text));
  return keys.slice(0, MAX_KEYS).map((key) => ({ kid: key.kid, key: createPublicKey({ key, format: 'jwk' }) }));
}

/** The key id of an unverified token: a hint which key to try, nothing more. */
function keyIdOf(token: string): string | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null && 'kid' in header && typeof header.kid === 'string')
      return header.kid;
  } catch {
    // Not a token: verification will say so.
  }
  return undefined;
}

function callerOf(subject: string, claim: unknown): Result<Caller, AmbitError<TokenErrorCode>> {
  const account = callerOfSubject(subject);
  if (account === undefined) return refuse('TOKEN_INVALID', 'the subject is not a service account');
  const { namespace, serviceAccount } = account;
  const parsed = bindingSchema.safeParse(claim ?? {});
  if (!parsed.success) return refuse('TOKEN_INVALID', 'the claim kubernetes.io is malformed');
  const binding = parsed.data;
  const consistent =
    (binding.namespace ?? namespace) === namespace &&
    (binding.serviceaccount?.name ?? serviceAccount) === serviceAccount;
  if (!consistent) return refuse('TOKEN_INVALID', 'the subject and the claim kubernetes.io name different accounts');
  return ok({
    namespace,
    serviceAccount,
    podName: binding.pod?.name ?? '',
    podUid: binding.pod?.uid ?? '',
    nodeName: binding.node?.name ?? '',
  });
}

function refuse(code: TokenErrorCode, message: string): Result<never, AmbitError<TokenErrorCode>> {
  return fail(new AmbitError(code, message, { side: 'downstream' }));
}
