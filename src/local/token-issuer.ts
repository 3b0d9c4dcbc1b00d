/**
 * Signs tokens in the shape of Kubernetes' bound service account tokens, for the programs of the nodes.
 *
 * Invariant: one timer per file at most, and none after `stop`, whatever was being signed meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CryptoKey, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly nodeName: string;
}

const ALGORITHM = 'ES256';
const AUDIENCE = 'istio-ca';
const ISSUER = 'ambit-local';
const LIFETIME_MS = 3_600_000;

export class TokenIssuer {
  readonly #key: CryptoKey;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #uids = new Map<string, string>();
  readonly #renewals = new Map<string, Timer>();
  #stopped = false;

  private constructor(key: CryptoKey, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#key = key;
    this.#deps = deps;
  }

  /** A new key; its public half goes to `publicKeyFile`, the other never leaves memory. */
  static async create(
    publicKeyFile: string,
    deps: { readonly clock: Clock; readonly logger: Logger },
  ): Promise<TokenIssuer> {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
    await writeFile(publicKeyFile, await exportSPKI(publicKey), { mode: 0o600 });
    return new TokenIssuer(privateKey, deps);
  }

  /** Writes a token and renews it at half of its life until `stop`. */
  async maintain(file: string, subject: TokenSubject): Promise<void> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeAtomically(file, await this.#sign(subject));
    if (this.#stopped) return;
    this.#renewals.get(file)?.cancel();
    this.#renewals.set(
      file,
      this.#deps.clock.after(LIFETIME_MS / 2, () => {
        this.#renewals.delete(file);
        this.maintain(file, subject).catch((error: unknown) =>
          this.#deps.logger.error('token not renewed', { file, reason: errorText(error) }),
        );
      }),
    );
  }

  /** Ends the renewal of a token that is not needed any more. */
  forget(file: string): void {
    this.#renewals.get(file)?.cancel();
    this.#renewals.delete(file);
  }

  /** Ends all renewals. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#renewals.values()) timer.cancel();
    this.#renewals.clear();
  }

  #sign({ namespace, serviceAccount, podName, nodeName }: TokenSubject): Promise<string> {
    const nowSec = Math.floor(this.#deps.clock.nowMs() / 1000);
    const claims = {
      'kubernetes.io': {
        namespace,
        node: { name: nodeName, uid: this.#uid(nodeName) },
        pod: { name: podName, uid: this.#uid(podName) },
        serviceaccount: { name: serviceAccount, uid: this.#uid(serviceAccount) },
      },
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM })
      .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
      .setAudience(AUDIENCE)
      .setIssuer(ISSUER)
      .setIssuedAt(nowSec)
      .setNotBefore(nowSec)
      .setExpirationTime(nowSec + LIFETIME_MS / 1000)
      .sign(this.#key);
  }

  #uid(name: string): string {
    const known = this.#uids.get(name);
    if (known !== undefined) return known;
    const uid = randomUUID();
    this.#uids.set(name, uid);
    return uid;
  }
}

async function writeAtomically(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
