/**
 * Writes status conditions where they differ from what is there. Runs while its replica leads.
 *
 * Invariants:
 * - Conditions of others are written back as they were, and only onto the version in which they were seen.
 * - An object whose conditions are as they should be is not written.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { AUTHORIZATION_POLICIES, type ResourceKind, SERVICE_ENTRIES, SERVICES } from '../kube/resource-kind.ts';
import type { ObjectChange, ObjectStore } from '../manifests/object-store.ts';
import { keyOf, type ManifestKind } from '../model/manifest/manifest-object.ts';
import type { MeshOptions } from './mesh-options.ts';
import type { Observed, ObservedCondition, ObservedConditions } from './observed-conditions.ts';
import { type WantedConditions, wantedConditions } from './wanted-conditions.ts';
import { WorkQueue } from './work-queue.ts';

export interface ConditionWriterDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: ObjectStore;
  readonly observed: ObservedConditions;
  readonly mesh: () => MeshOptions;
}

const RESOURCES: ReadonlyMap<ManifestKind, ResourceKind> = new Map([
  ['AuthorizationPolicy', AUTHORIZATION_POLICIES],
  ['Service', SERVICES],
  ['ServiceEntry', SERVICE_ENTRIES],
]);
const KINDS = ['AuthorizationPolicy', 'Service', 'ServiceEntry'] as const;
/** On what bindings of all objects depend. */
const FAR_REACHING: ReadonlySet<string> = new Set(['Gateway', 'Namespace', 'Service', 'ServiceEntry']);
/** Pushes come first, and several changes are looked at together. */
const SETTLE_MS = 100;
/** 20 writes a second at most. */
const SPACING_MS = 50;

export class ConditionWriter {
  readonly #deps: ConditionWriterDeps;
  readonly #queue: WorkQueue;
  readonly #changed = new Set<string>();
  #all = true;
  #timer: Timer | undefined;
  #unsubscribe: (() => void)[] = [];

  constructor(deps: ConditionWriterDeps) {
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, (key) => this.#write(key));
  }

  start(): void {
    const { store, observed } = this.#deps;
    this.#unsubscribe = [
      store.subscribe((changes) => this.#note(changes)),
      observed.subscribe((key) => {
        this.#changed.add(key);
        this.#checkSoon();
      }),
    ];
    this.#checkSoon();
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    this.#timer?.cancel();
    await this.#queue.stop();
  }

  #note(changes: readonly ObjectChange[]): void {
    for (const { before, after } of changes) if (FAR_REACHING.has((after ?? before)?.kind ?? '')) this.#all = true;
    if (this.#all) this.#checkSoon();
  }

  #checkSoon(): void {
    this.#timer ??= this.#deps.clock.after(SETTLE_MS, () => {
      this.#timer = undefined;
      const keys = this.#all ? this.#everything() : [...this.#changed];
      this.#all = false;
      this.#changed.clear();
      for (const key of keys) if (this.#nextConditions(key) !== undefined) this.#queue.add(key);
    });
  }

  #everything(): string[] {
    return KINDS.flatMap((kind) => [...this.#deps.store.all(kind)].map(keyOf));
  }

  /** The conditions to write; undefined when those that are there will do. */
  #nextConditions(key: string): { observed: Observed; conditions: readonly ObservedCondition[] } | undefined {
    const { store, observed: all, mesh, clock } = this.#deps;
    const object = store.getByKey(key);
    const observed = all.get(key);
    if (object === undefined || observed === undefined || object.meta.deleting) return undefined;
    const wanted = wantedConditions(store, mesh(), object);
    const conditions = mergeConditions(observed, wanted, conditionTime(clock.nowMs()));
    return conditions === undefined ? undefined : { observed, conditions };
  }

  /** @returns false when it has to be tried again */
  async #write(key: string): Promise<boolean> {
    const next = this.#nextConditions(key);
    const [kind = '', namespace = '', name = ''] = key.split('/');
    const resource = RESOURCES.get(kind as ManifestKind);
    if (next === undefined || resource === undefined) return true;
    const body = {
      metadata: { resourceVersion: next.observed.resourceVersion },
      status: { conditions: next.conditions },
    };
    const { client, logger } = this.#deps;
    const written = await client.patch(resource, namespace, name, { type: 'merge', subresource: 'status', body });
    // A newer version comes with the watch and is looked at then.
    if (written.ok || written.error.isNotFound || written.error.isConflict) return true;
    logger.warn('status not written', { object: key, reason: written.error.message });
    return false;
  }
}

/** The time of a transition, in whole seconds as API servers keep it. */
export function conditionTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** What is there with what is wanted in its place; undefined when nothing differs. */
export function mergeConditions(
  observed: Pick<Observed, 'conditions' | 'generation'>,
  wanted: WantedConditions,
  now: string,
): ObservedCondition[] | undefined {
  const merged = observed.conditions.filter(({ type }) => !wanted.has(type));
  let differs = false;
  for (const [type, want] of wanted) {
    const current = observed.conditions.find((condition) => condition.type === type);
    if (want === undefined) {
      differs ||= current !== undefined;
      continue;
    }
    const same =
      current?.status === want.status &&
      current.reason === want.reason &&
      current.message === want.message &&
      Number(current['observedGeneration'] ?? 0) === observed.generation;
    differs ||= !same;
    const lastTransitionTime = current?.status === want.status ? (current['lastTransitionTime'] ?? now) : now;
    merged.push({ type, ...want, observedGeneration: observed.generation, lastTransitionTime });
  }
  return differs ? merged : undefined;
}
