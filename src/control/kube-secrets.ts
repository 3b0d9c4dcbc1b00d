/**
 * The Secrets that rules name, from the API server into the object store: each by its name, and no other. The right to
 * read one is its namespace's to give (docs/waypoints.md).
 *
 * Invariant: what was once read stays in force through every failure to read it again.
 */
import { type Clock, sleep } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { SECRETS } from '../kube/resource-kind.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { READ_SECRET_KEYS } from '../model/manifest/secret.ts';
import type { IntakeKind, KubeIntake } from './kube-intake.ts';

export interface KubeSecretsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly intake: Pick<KubeIntake, 'upsert' | 'remove'>;
}

const KIND: IntakeKind = { resource: SECRETS, kind: 'Secret' };
/** Each is a watch of its own. */
const MAX_FOLLOWED = 1000;

export class KubeSecrets {
  readonly #deps: KubeSecretsDeps;
  readonly #followed = new Map<string, Reflector>();
  readonly #held = new Map<string, KubeObject>();
  readonly #ending = new Set<Promise<void>>();
  #stopped = false;

  constructor(deps: KubeSecretsDeps) {
    this.#deps = deps;
  }

  /** Reads these from now on, and forgets others. @param names `<namespace>/<name>` */
  follow(names: ReadonlySet<string>): void {
    if (this.#stopped) return;
    for (const [name, reflector] of this.#followed) if (!names.has(name)) this.#leave(name, reflector);
    for (const name of names) {
      if (this.#followed.has(name)) continue;
      if (this.#followed.size >= MAX_FOLLOWED) {
        this.#deps.logger.error('too many Secrets are named: not all are read', { limit: MAX_FOLLOWED, missing: name });
        return;
      }
      const reflector = this.#reflect(name);
      this.#followed.set(name, reflector);
      reflector.start();
    }
  }

  /** Resolves when all that are followed were looked at, at most after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    const waiting = new AbortController();
    const all = Promise.all([...this.#followed.values()].map(({ synced }) => synced));
    await Promise.race([all, sleep(this.#deps.clock, timeoutMs, waiting.signal)]);
    waiting.abort();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const [name, reflector] of this.#followed) this.#leave(name, reflector);
    await Promise.all(this.#ending);
  }

  #leave(name: string, reflector: Reflector): void {
    this.#followed.delete(name);
    const ending = reflector.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    this.#lose(name);
  }

  #reflect(title: string): Reflector {
    const [namespace = '', name = ''] = title.split('/');
    const selection = { kind: SECRETS, namespace, fieldSelector: `metadata.name=${name}`, transform: slimSecret };
    return new Reflector(selection, this.#deps, {
      replace: (found) => {
        const secret = found.find(({ metadata }) => metadata.name === name);
        if (secret === undefined) this.#lose(title);
        else this.#take(title, secret);
      },
      upsert: (secret) => this.#take(title, secret),
      remove: () => this.#lose(title),
    });
  }

  #take(title: string, secret: KubeObject): void {
    if (!this.#followed.has(title)) return;
    this.#held.set(title, secret);
    this.#deps.intake.upsert(KIND, secret);
  }

  #lose(title: string): void {
    const held = this.#held.get(title);
    if (held === undefined) return;
    this.#held.delete(title);
    this.#deps.intake.remove(KIND, held);
  }
}

/** Without what is not read, and without annotations: kubectl keeps a copy of the content there. */
function slimSecret({ metadata, data }: KubeObject): KubeObject {
  const { name, namespace = '', uid = '' } = metadata;
  const values = fieldsOf(data);
  const kept = READ_SECRET_KEYS.filter((key) => Object.hasOwn(values, key)).map((key) => [key, values[key]]);
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, uid }, data: Object.fromEntries(kept) };
}
