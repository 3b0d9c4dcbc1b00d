/**
 * Objects that are made for Gateways, applied and watched (facts l7-and-control 4.2, 5.2).
 *
 * Invariants:
 * - An object is applied when what is wanted changed, or when somebody else changed or deleted it; otherwise not.
 * - Two who fight over an object cost a bounded number of writes: repairs have a time between them.
 * - What exists and belongs to no Gateway of that name is left alone.
 */
import { hash } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import type { ResourceKind } from '../kube/resource-kind.ts';
import type { ObjectMeta } from '../model/manifest/object-meta.ts';
import { GATEWAY_NAME_LABEL } from '../model/waypoint-objects.ts';

export interface AppliedObjectsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Told of the Gateway whose object is not as it was applied, or was not seen before. */
  readonly onChange: (namespace: string, gateway: string) => void;
}

interface Applied {
  readonly wanted: string;
  /** Of the object that came of it. */
  readonly content: string;
  /** When it was last applied because somebody else had changed it, monotonic. */
  readonly repairedMs: number;
}

const FIELD_MANAGER = 'ambit-gateway-controller';
/** Between two repairs of an object. */
const REPAIR_SPACING_MS = 10_000;
const CONTENT = 'contentHash';
/** Annotations that controllers of Kubernetes keep. */
const FOREIGN_ANNOTATIONS = 'deployment.kubernetes.io/';

export class AppliedObjects {
  readonly #deps: AppliedObjectsDeps;
  readonly #reflectors: readonly Reflector[];
  /** By key: the content as it was last seen. */
  readonly #seen = new Map<string, string>();
  readonly #applied = new Map<string, Applied>();
  readonly #leftAlone = new Set<string>();
  /** By Gateway: until something of it may be repaired. */
  readonly #waiting = new Map<string, Timer>();

  constructor(kinds: readonly ResourceKind[], deps: AppliedObjectsDeps) {
    this.#deps = deps;
    this.#reflectors = kinds.map((kind) => this.#reflect(kind));
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  async stop(): Promise<void> {
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  /** Sees to it that the object, of the Gateway's name, is as wanted. */
  async apply(kind: ResourceKind, gateway: ObjectMeta, body: object): Promise<Result<undefined, KubeError>> {
    const { client, clock } = this.#deps;
    const { namespace, name } = gateway;
    const key = keyOf(kind, namespace, name);
    const wanted = hash('sha1', JSON.stringify([body, gateway.uid]), 'base64');
    const before = this.#applied.get(key);
    const isRepair = before?.wanted === wanted;
    if (isRepair && (before.content === this.#seen.get(key) || this.#isTooSoon(before, gateway))) return ok(undefined);
    if (before === undefined) {
      const found = await client.get(kind, namespace, name);
      if (!found.ok && !found.error.isNotFound) return found;
      if (found.ok && !belongsTo(found.value, name)) return this.#leaveAlone(key);
    }
    const owned = withOwner(body, gateway);
    const options = { type: 'apply', fieldManager: FIELD_MANAGER, force: true, body: owned } as const;
    const applied = await client.patch(kind, namespace, name, options);
    if (!applied.ok) return applied;
    const content = contentOf(applied.value);
    const repairedMs = isRepair ? clock.monotonicMs() : (before?.repairedMs ?? Number.NEGATIVE_INFINITY);
    this.#applied.set(key, { wanted, content, repairedMs });
    this.#seen.set(key, content);
    return ok(undefined);
  }

  /** Deletes the object if one was made. */
  async remove(kind: ResourceKind, { namespace, name }: ObjectMeta): Promise<Result<undefined, KubeError>> {
    const { client } = this.#deps;
    const key = keyOf(kind, namespace, name);
    if (!this.#seen.has(key)) return ok(undefined);
    const found = await client.get(kind, namespace, name);
    if (found.ok && belongsTo(found.value, name)) {
      const deleted = await client.delete(kind, namespace, name, { propagationPolicy: 'Background' });
      if (!deleted.ok && !deleted.error.isNotFound) return deleted;
    }
    this.#applied.delete(key);
    this.#seen.delete(key);
    return ok(undefined);
  }

  /** Forgets what was applied for a Gateway that is gone. */
  forget(namespace: string, name: string): void {
    const end = `/${namespace}/${name}`;
    for (const key of this.#applied.keys()) if (key.endsWith(end)) this.#applied.delete(key);
  }

  /** Has it looked at again when the time has come. */
  #isTooSoon({ repairedMs }: Applied, { namespace, name }: ObjectMeta): boolean {
    const { clock, onChange } = this.#deps;
    const waitMs = repairedMs + REPAIR_SPACING_MS - clock.monotonicMs();
    if (waitMs <= 0) return false;
    if (this.#waiting.has(`${namespace}/${name}`)) return true;
    const timer = clock.after(waitMs, () => {
      this.#waiting.delete(`${namespace}/${name}`);
      onChange(namespace, name);
    });
    this.#waiting.set(`${namespace}/${name}`, timer);
    return true;
  }

  #leaveAlone(key: string): Result<undefined, KubeError> {
    if (!this.#leftAlone.has(key))
      this.#deps.logger.info('object left alone, it belongs to no Gateway', { object: key });
    this.#leftAlone.add(key);
    return ok(undefined);
  }

  #reflect(kind: ResourceKind): Reflector {
    const note = ({ metadata, [CONTENT]: content }: KubeObject) => {
      const { namespace = '', name } = metadata;
      const key = keyOf(kind, namespace, name);
      this.#seen.set(key, String(content));
      if (this.#applied.get(key)?.content !== content) this.#deps.onChange(namespace, name);
    };
    const gone = (key: string) => {
      this.#seen.delete(key);
      const [, namespace = '', name = ''] = key.split('/');
      this.#deps.onChange(namespace, name);
    };
    const options = { kind, labelSelector: GATEWAY_NAME_LABEL, transform: slim };
    return new Reflector(options, this.#deps, {
      replace: (objects) => {
        const listed = new Set(objects.map(({ metadata }) => keyOf(kind, metadata.namespace ?? '', metadata.name)));
        for (const key of this.#seen.keys()) if (key.startsWith(`${kind.plural}/`) && !listed.has(key)) gone(key);
        for (const object of objects) note(object);
      },
      upsert: note,
      remove: ({ metadata }) => gone(keyOf(kind, metadata.namespace ?? '', metadata.name)),
    });
  }
}

function keyOf({ plural }: ResourceKind, namespace: string, name: string): string {
  return `${plural}/${namespace}/${name}`;
}

function belongsTo({ metadata }: KubeObject, gateway: string): boolean {
  return (metadata.ownerReferences ?? []).some(({ kind, name }) => kind === 'Gateway' && name === gateway);
}

function withOwner(body: object, { name, uid }: ObjectMeta): object {
  const { metadata } = body as { readonly metadata: object };
  const owner = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name, uid, controller: true };
  return { ...body, metadata: { ...metadata, ownerReferences: [owner] } };
}

function slim(object: KubeObject): KubeObject {
  const { namespace, name } = object.metadata;
  return { metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, [CONTENT]: contentOf(object) };
}

/** A hash of all that people and controllers write of an object, without what the API server itself keeps. */
function contentOf({ apiVersion: _, kind: __, status: ___, metadata, ...rest }: KubeObject): string {
  const { labels, annotations = {}, ownerReferences, deletionTimestamp } = metadata;
  const kept = Object.entries(annotations).filter(([name]) => !name.startsWith(FOREIGN_ANNOTATIONS));
  const written = { labels, annotations: kept, ownerReferences, deletionTimestamp };
  return hash('sha1', JSON.stringify([written, rest]), 'base64');
}
