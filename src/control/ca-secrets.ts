/**
 * The certificate authority in Secrets (facts l7-and-control 9.8): `cacerts` when somebody plugged one in, else an own
 * root in `istio-ca-secret`, which the first of all replicas creates.
 *
 * Invariants:
 * - A Secret that is deleted or broken never replaces an authority that works: an own root that is deleted while it is in
 *   use is written back, as the next replica that starts would make another one, and nobody would trust both.
 * - Of two replicas that create the root at once, both end with the one that was stored.
 */
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { SECRETS } from '../kube/resource-kind.ts';
import { OWN_ROOT_SECRET, PLUGGED_IN_SECRET } from '../model/installed-names.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { CA_FILE, type CaMaterial, type CaTexts, parseCaTexts } from '../pki/ca-files.ts';
import type { CaSource } from '../pki/certificate-authority.ts';
import { createRootTexts, type RootOptions, type RootTexts, rootParts, rotateRoot } from '../pki/root-rotation.ts';

export type CaSecretErrorCode = 'CA_SECRET_MISSING' | 'CA_SECRET_UNUSABLE' | 'CA_SECRET_NOT_WRITTEN';

export interface CaSecretsOptions {
  readonly namespace: string;
  /** Of an own root. */
  readonly root: RootOptions;
  /** Whether a root is created where there is none. */
  readonly ownRoot: boolean;
}

export interface CaSecretsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

const OWN_TYPE = 'istio.io/ca-root';

export class SecretCaSource implements CaSource {
  readonly #options: CaSecretsOptions;
  readonly #deps: CaSecretsDeps;
  readonly #held = new Map<string, KubeObject>();
  readonly #listeners = new Set<() => void>();
  readonly #reflectors: readonly Reflector[];
  /** The Secret in use; it is not left for the other one while running. */
  #inUse = '';

  constructor(options: CaSecretsOptions, deps: CaSecretsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#reflectors = [PLUGGED_IN_SECRET, OWN_ROOT_SECRET].map((name) => this.#reflect(name));
  }

  /** Starts to follow the Secrets. */
  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  /** Reads the Secrets; without any, creates a root. Rejects with a CaSecretErrorCode, or what is wrong with the parts. */
  async load(nowMs: number): Promise<CaMaterial> {
    await Promise.all(this.#reflectors.map(({ synced }) => synced));
    const name =
      this.#held.has(PLUGGED_IN_SECRET) || this.#inUse === PLUGGED_IN_SECRET ? PLUGGED_IN_SECRET : OWN_ROOT_SECRET;
    if (!this.#held.has(name) && this.#inUse !== '') {
      throw failure(
        'CA_SECRET_MISSING',
        `Secret ${this.#title(name)} was deleted: restore it, or restart to do without`,
      );
    }
    if (!this.#held.has(name)) await this.#createRoot(nowMs);
    const material = this.#parse(name, nowMs);
    this.#inUse = name;
    return material;
  }

  watch(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** Does the next due step of a rotation of the own root; only the leader calls it. @returns the step */
  async rotate(overlapMs: number, nowMs: number): Promise<ReturnType<typeof rotateRoot>['step']> {
    const secret = this.#held.get(OWN_ROOT_SECRET);
    if (this.#inUse !== OWN_ROOT_SECRET || secret === undefined) return 'none';
    const { step, texts } = rotateRoot(textsOf(secret), this.#options.root, overlapMs, nowMs);
    if (step === 'none') return step;
    const { namespace } = this.#options;
    const written = await this.#deps.client.replace(SECRETS, namespace, OWN_ROOT_SECRET, {
      ...secret,
      data: encode(texts),
    });
    if (written.ok) {
      this.#take(OWN_ROOT_SECRET, written.value);
      return step;
    }
    if (written.error.isConflict) return 'none';
    throw failure('CA_SECRET_NOT_WRITTEN', `Secret ${this.#title(OWN_ROOT_SECRET)}: ${written.error.message}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  #reflect(name: string): Reflector {
    const { namespace } = this.#options;
    return new Reflector({ kind: SECRETS, namespace, fieldSelector: `metadata.name=${name}` }, this.#deps, {
      replace: ([secret]) => {
        if (secret !== undefined) this.#take(name, secret);
        else this.#lose(name);
      },
      upsert: (secret) => this.#take(name, secret),
      remove: () => this.#lose(name),
    });
  }

  #take(name: string, secret: KubeObject): void {
    if (this.#held.get(name)?.metadata.resourceVersion === secret.metadata.resourceVersion) return;
    this.#held.set(name, secret);
    for (const listener of this.#listeners) listener();
  }

  #lose(name: string): void {
    const lost = this.#held.get(name);
    if (lost === undefined) return;
    this.#held.delete(name);
    for (const listener of this.#listeners) listener();
    if (name === OWN_ROOT_SECRET && this.#inUse === OWN_ROOT_SECRET) void this.#restore(lost);
  }

  /** Every replica tries; the first one does it. */
  async #restore({ data }: KubeObject): Promise<void> {
    const { namespace } = this.#options;
    const { client, logger } = this.#deps;
    const body = { metadata: { name: OWN_ROOT_SECRET, namespace }, type: OWN_TYPE, data };
    const created = await client.create(SECRETS, namespace, body);
    const secret = this.#title(OWN_ROOT_SECRET);
    if (created.ok) logger.warn('root certificate written back: its Secret was deleted while in use', { secret });
    else if (!created.error.isAlreadyExists) {
      logger.error('root certificate not written back', { secret, reason: created.error.message });
    }
  }

  async #createRoot(nowMs: number): Promise<void> {
    const { namespace, ownRoot, root } = this.#options;
    const { client, logger } = this.#deps;
    if (!ownRoot) {
      throw failure(
        'CA_SECRET_MISSING',
        `Secret ${this.#title(PLUGGED_IN_SECRET)} does not exist, and no own root may be made`,
      );
    }
    const body = {
      metadata: { name: OWN_ROOT_SECRET, namespace },
      type: OWN_TYPE,
      data: encode(createRootTexts(root, nowMs)),
    };
    const created = await client.create(SECRETS, namespace, body);
    if (created.ok) logger.info('root certificate created', { secret: this.#title(OWN_ROOT_SECRET) });
    const stored =
      created.ok || !created.error.isAlreadyExists ? created : await client.get(SECRETS, namespace, OWN_ROOT_SECRET);
    if (!stored.ok)
      throw failure('CA_SECRET_NOT_WRITTEN', `Secret ${this.#title(OWN_ROOT_SECRET)}: ${stored.error.message}`);
    this.#take(OWN_ROOT_SECRET, stored.value);
  }

  #parse(name: string, nowMs: number): CaMaterial {
    const secret = this.#held.get(name);
    const texts = secret === undefined ? {} : textsOf(secret);
    try {
      return parseCaTexts(name === OWN_ROOT_SECRET ? rootParts(texts) : pluggedInParts(texts), nowMs);
    } catch (cause) {
      throw failure('CA_SECRET_UNUSABLE', `Secret ${this.#title(name)}: ${errorText(cause)}`, cause);
    }
  }

  #title(name: string): string {
    return `${this.#options.namespace}/${name}`;
  }
}

/** Istio's names, or those of a Secret of type `kubernetes.io/tls`, as cert-manager writes it. */
function pluggedInParts(texts: RootTexts): CaTexts {
  const isTls = texts[CA_FILE.certificate] === undefined && texts['tls.crt'] !== undefined;
  if (isTls) {
    return { certificate: texts['tls.crt'] ?? '', key: texts['tls.key'] ?? '', chain: '', root: texts['ca.crt'] ?? '' };
  }
  return {
    certificate: texts[CA_FILE.certificate] ?? '',
    key: texts[CA_FILE.key] ?? '',
    chain: texts[CA_FILE.chain] ?? '',
    root: texts[CA_FILE.root] ?? '',
  };
}

function textsOf(secret: KubeObject): RootTexts {
  const { data } = secret;
  if (!isRecord(data)) return {};
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '',
    ]),
  );
}

function encode(texts: RootTexts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text, 'utf8').toString('base64')]),
  );
}

function failure(code: CaSecretErrorCode, message: string, cause?: unknown): AmbitError<CaSecretErrorCode> {
  return new AmbitError(code, message, cause === undefined ? {} : { cause });
}
