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
import {
  AUTHORIZATION_POLICIES,
  GRPC_ROUTES,
  HTTP_ROUTES,
  REQUEST_AUTHENTICATIONS,
  type ResourceKind,
  SERVICE_ENTRIES,
  SERVICES,
  TCP_ROUTES,
  TLS_ROUTES,
} from '../kube/resource-kind.ts';
import type { ObjectChange, ObjectStore } from '../manifests/object-store.ts';
import { keyOf, type ManifestKind } from '../model/manifest/manifest-object.ts';
import { isRoute } from '../model/manifest/route-object.ts';
import { wantedParents } from './l7/route-conditions.ts';
import { conditionTime, mergeConditions } from './merge-conditions.ts';
import type { MeshOptions } from './mesh-options.ts';
import type { Observed, ObservedConditions } from './observed-conditions.ts';
import { mergeParents } from './route-parent-status.ts';
import { wantedConditions } from './wanted-conditions.ts';
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
  ['RequestAuthentication', REQUEST_AUTHENTICATIONS],
  ['Service', SERVICES],
  ['ServiceEntry', SERVICE_ENTRIES],
  ['HTTPRoute', HTTP_ROUTES],
  ['GRPCRoute', GRPC_ROUTES],
  ['TCPRoute', TCP_ROUTES],
  ['TLSRoute', TLS_ROUTES],
]);
const KINDS = [...RESOURCES.keys()];
/** On what bindings of all objects depend. */
const FAR_REACHING: ReadonlySet<string> = new Set([
  'Gateway',
  'GatewayClass',
  'Namespace',
  'ReferenceGrant',
  'Service',
  'ServiceEntry',
]);
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
    for (const { key, before, after } of changes) {
      if (FAR_REACHING.has((after ?? before)?.kind ?? '')) this.#all = true;
      if (isRoute(after)) this.#changed.add(key);
    }
    if (this.#all || this.#changed.size > 0) this.#checkSoon();
  }

  #checkSoon(): void {
    this.#timer ??= this.#deps.clock.after(SETTLE_MS, () => {
      this.#timer = undefined;
      const keys = this.#all ? this.#everything() : [...this.#changed];
      this.#all = false;
      this.#changed.clear();
      for (const key of keys) if (this.#next(key) !== undefined) this.#queue.add(key);
    });
  }

  #everything(): string[] {
    return KINDS.flatMap((kind) => [...this.#deps.store.all(kind)].map(keyOf));
  }

  /** The status to write; undefined when the one that is there will do. */
  #next(key: string): { observed: Observed; status: object } | undefined {
    const { store, observed: all, mesh, clock } = this.#deps;
    const object = store.getByKey(key);
    const observed = all.get(key);
    if (object === undefined || observed === undefined || object.meta.deleting) return undefined;
    const now = conditionTime(clock.nowMs());
    if (isRoute(object)) {
      const parents = mergeParents(observed, wantedParents({ store, mesh: mesh() }, object), now);
      return parents && { observed, status: { parents } };
    }
    const conditions = mergeConditions(observed, wantedConditions(store, mesh(), object), now);
    return conditions && { observed, status: { conditions } };
  }

  /** @returns false when it has to be tried again */
  async #write(key: string): Promise<boolean> {
    const next = this.#next(key);
    const [kind = '', namespace = '', name = ''] = key.split('/');
    const known = RESOURCES.get(kind as ManifestKind);
    if (next === undefined || known === undefined) return true;
    const { observed, status } = next;
    // A cluster may serve an older version than the one that is asked for first.
    const resource = { ...known, version: observed.apiVersion.split('/').at(-1) || known.version };
    const body = { metadata: { resourceVersion: observed.resourceVersion }, status };
    const { client, logger } = this.#deps;
    const written = await client.patch(resource, namespace, name, { type: 'merge', subresource: 'status', body });
    // A newer version comes with the watch and is looked at then.
    if (written.ok || written.error.isNotFound || written.error.isConflict) return true;
    logger.warn('status not written', { object: key, reason: written.error.message });
    return false;
  }
}
