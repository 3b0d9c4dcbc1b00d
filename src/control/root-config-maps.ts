/**
 * The roots that clients have to trust, as ConfigMap `istio-ca-root-cert` in every namespace that is looked at (facts
 * l7-and-control 9.8). Runs while its replica leads: missing, changed and deleted ones are put right.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { CONFIG_MAPS } from '../kube/resource-kind.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { ROOT_CONFIG_MAP, ROOT_CONFIG_MAP_LABELS } from '../model/installed-names.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { WorkQueue } from './work-queue.ts';

export interface RootConfigMapsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly store: ObjectStore;
  readonly isSelected: (namespace: string) => boolean;
  readonly rootsPem: () => string;
  /** Told when roots or selected namespaces change. @returns ends the subscription */
  readonly onChange: (listener: () => void) => () => void;
}

const KEY = 'root-cert.pem';
/** At most so often, also when the roots of ten thousand namespaces change. */
const SPACING_MS = 5;

export class RootConfigMaps {
  readonly #deps: RootConfigMapsDeps;
  readonly #queue: WorkQueue;
  readonly #reflector: Reflector;
  readonly #current = new Map<string, KubeObject>();
  /** Whether the first list is there: before, nothing is known to be missing. */
  #isListed = false;
  #unsubscribe: (() => void)[] = [];

  constructor(deps: RootConfigMapsDeps) {
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, (namespace) => this.#repair(namespace));
    const changed = (object: KubeObject) => this.#queue.add(object.metadata.namespace ?? '');
    this.#reflector = new Reflector({ kind: CONFIG_MAPS, fieldSelector: `metadata.name=${ROOT_CONFIG_MAP}` }, deps, {
      replace: (objects) => {
        this.#isListed = true;
        this.#current.clear();
        for (const object of objects) this.#current.set(object.metadata.namespace ?? '', object);
        this.#checkAll();
      },
      upsert: (object) => {
        this.#current.set(object.metadata.namespace ?? '', object);
        changed(object);
      },
      remove: (object) => {
        this.#current.delete(object.metadata.namespace ?? '');
        changed(object);
      },
    });
  }

  start(): void {
    const { store, onChange } = this.#deps;
    this.#unsubscribe = [
      onChange(() => this.#checkAll()),
      store.subscribe((changes) => {
        for (const { after } of changes) if (after?.kind === 'Namespace') this.#queue.add(after.meta.name);
      }),
    ];
    this.#reflector.start();
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    await Promise.all([this.#reflector.stop(), this.#queue.stop()]);
  }

  #checkAll(): void {
    for (const { meta } of this.#deps.store.all('Namespace')) this.#queue.add(meta.name);
  }

  /** @returns false when it has to be tried again */
  async #repair(namespace: string): Promise<boolean> {
    const { client, store, isSelected, rootsPem, logger } = this.#deps;
    const owner = store.get('Namespace', '', namespace);
    const wanted = owner !== undefined && !owner.meta.deleting && !namespace.startsWith('kube-');
    if (!wanted || !isSelected(namespace) || !this.#isListed) return true;
    const current = this.#current.get(namespace);
    const roots = rootsPem();
    const data = current?.['data'];
    if (isRecord(data) && data[KEY] === roots) return true;
    const patch = { metadata: { labels: ROOT_CONFIG_MAP_LABELS }, data: { [KEY]: roots } };
    const written =
      current === undefined
        ? await client.create(CONFIG_MAPS, namespace, {
            ...patch,
            metadata: { ...patch.metadata, name: ROOT_CONFIG_MAP, namespace },
          })
        : await client.patch(CONFIG_MAPS, namespace, ROOT_CONFIG_MAP, { type: 'merge', body: patch });
    // One that appeared or went in between comes with the watch; so does the end of the namespace.
    if (written.ok || written.error.isAlreadyExists || written.error.isNotFound) return true;
    logger.warn('root certificate not written', { namespace, reason: written.error.message });
    return false;
  }
}
