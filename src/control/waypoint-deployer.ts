/**
 * Runs the waypoints that Gateways ask for, and says in their status what became of it (facts l7-and-control 4.2, 4.3,
 * 5.2). Runs while its replica leads.
 *
 * Invariants:
 * - Everything that is made belongs to its Gateway and goes with it: the cluster's garbage collector does that.
 * - Fields that somebody else sets (replicas, resources by an overlay) are left alone: objects are applied, not replaced.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeError } from '../kube/kube-error.ts';
import { GATEWAYS } from '../kube/resource-kind.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { type GatewayObject, isWaypoint } from '../model/manifest/gateway.ts';
import { GATEWAY_NAME_LABEL } from '../model/waypoint-objects.ts';
import { AppliedObjects } from './applied-objects.ts';
import { conditionTime } from './merge-conditions.ts';
import { type MeshOptions, serviceHostname } from './mesh-options.ts';
import type { WaypointRuntime } from './waypoint-deployment.ts';
import { WaypointParameters } from './waypoint-parameters.ts';
import { OPTIONAL_KINDS, WAYPOINT_KINDS, type WaypointPart, waypointParts } from './waypoint-parts.ts';
import { type GatewayRefusal, listenerRefusal, waypointStatus } from './waypoint-status.ts';
import { WorkQueue } from './work-queue.ts';

export interface WaypointDeployerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
  readonly store: ObjectStore;
  /** Gateways that ask for another one are left to it. */
  readonly revision: string;
  /** Of the control plane: where the defaults of classes are. */
  readonly namespace: string;
  readonly mesh: () => MeshOptions;
  /** Told when the options of the mesh change. @returns ends the subscription */
  readonly onMesh: (listener: () => void) => () => void;
}

const REVISION_LABEL = 'istio.io/rev';
const SPACING_MS = 20;
/** ConfigMaps of other namespaces are not watched: that right would be one to read them all. */
const REREAD_MS = 10_000;
/** With these the API server refuses what is written wrong; 500 is how it says that a field is not known. */
const INVALID_STATUS: ReadonlySet<number> = new Set([400, 422, 500]);

/** What became of an attempt. */
interface Outcome {
  readonly refused?: GatewayRefusal;
  /** Why it has to be tried again. */
  readonly problem?: string;
}

export class WaypointDeployer {
  readonly #runtime: WaypointRuntime;
  readonly #deps: WaypointDeployerDeps;
  readonly #queue: WorkQueue;
  readonly #objects: AppliedObjects;
  readonly #parameters: WaypointParameters;
  readonly #rereads = new Map<string, Timer>();
  #unsubscribe: (() => void)[] = [];

  constructor(runtime: WaypointRuntime, deps: WaypointDeployerDeps) {
    this.#runtime = runtime;
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, (key) => this.#deploy(key));
    const onChange = (namespace: string, name: string) => this.#queue.add(`${namespace}/${name}`);
    this.#objects = new AppliedObjects(WAYPOINT_KINDS, { ...deps, onChange });
    this.#parameters = new WaypointParameters({ ...deps, onChange: () => this.#addAll() });
  }

  start(): void {
    const { store, onMesh } = this.#deps;
    this.#unsubscribe = [
      store.subscribe((changes) => {
        for (const { before, after } of changes) {
          const object = after ?? before;
          if (object?.kind === 'Gateway') this.#queue.add(`${object.meta.namespace}/${object.meta.name}`);
          // Whether its pods are ready is in the status of the Gateway.
          if (object?.kind === 'Pod') this.#note(object.meta);
        }
      }),
      onMesh(() => this.#addAll()),
    ];
    this.#parameters.start();
    this.#objects.start();
    this.#addAll();
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    for (const timer of this.#rereads.values()) timer.cancel();
    this.#rereads.clear();
    await Promise.all([this.#queue.stop(), this.#objects.stop(), this.#parameters.stop()]);
  }

  #addAll(): void {
    for (const { meta } of this.#deps.store.all('Gateway')) this.#queue.add(`${meta.namespace}/${meta.name}`);
  }

  #note({ namespace, labels }: GatewayObject['meta']): void {
    const gateway = labels.get(GATEWAY_NAME_LABEL);
    if (gateway !== undefined) this.#queue.add(`${namespace}/${gateway}`);
  }

  /** @returns false when it has to be tried again */
  async #deploy(key: string): Promise<boolean> {
    const { store, logger } = this.#deps;
    const [namespace = '', name = ''] = key.split('/');
    const gateway = store.get('Gateway', namespace, name);
    this.#rereads.get(key)?.cancel();
    if (gateway === undefined || !isWaypoint(gateway) || gateway.meta.deleting || !this.#isOurs(gateway)) {
      this.#objects.forget(namespace, name);
      return true;
    }
    if (!this.#parameters.hasSynced) return true;
    const outcome = await this.#bringAbout(gateway);
    const reason = outcome.refused?.message ?? outcome.problem;
    if (reason !== undefined) logger.warn('waypoint not deployed', { gateway: key, reason });
    if (gateway.infrastructure.parametersRef !== undefined) this.#rereadLater(key);
    const written = await this.#writeStatus(gateway, outcome);
    return outcome.problem === undefined && written;
  }

  #isOurs({ meta }: GatewayObject): boolean {
    const wanted = meta.labels.get(REVISION_LABEL);
    return wanted === undefined || wanted === '' || wanted === this.#deps.revision;
  }

  async #bringAbout(gateway: GatewayObject): Promise<Outcome> {
    const refused = listenerRefusal(gateway);
    if (refused !== undefined) return { refused };
    const overlays = await this.#parameters.of(gateway);
    if (!overlays.ok) {
      const { isInvalid, message } = overlays.error;
      return isInvalid ? invalidParameters(message) : { problem: message };
    }
    const parts = waypointParts(gateway, this.#deps.mesh().trustDomain, this.#runtime, overlays.value);
    return parts.ok ? this.#apply(gateway, parts.value) : invalidParameters(parts.error);
  }

  async #apply({ meta }: GatewayObject, parts: readonly WaypointPart[]): Promise<Outcome> {
    const title = `${meta.namespace}/${meta.name}`;
    for (const { kind, body, overlaidBy } of parts) {
      const applied = await this.#objects.apply(kind, meta, body);
      if (applied.ok) continue;
      if (overlaidBy !== undefined && isInvalid(applied.error)) {
        // It may also have been the API server's fault.
        const { message } = applied.error;
        return { ...invalidParameters(`${overlaidBy}: ${message}`), problem: message };
      }
      return { problem: `${kind.kind} ${title}: ${applied.error.message}` };
    }
    const unwanted = OPTIONAL_KINDS.filter((optional) => parts.every(({ kind }) => kind !== optional));
    for (const kind of unwanted) {
      const removed = await this.#objects.remove(kind, meta);
      if (!removed.ok) return { problem: `${kind.kind} ${title}: ${removed.error.message}` };
    }
    return {};
  }

  #rereadLater(key: string): void {
    this.#rereads.set(
      key,
      this.#deps.clock.after(REREAD_MS, () => this.#queue.add(key)),
    );
  }

  async #writeStatus(gateway: GatewayObject, { refused, problem }: Outcome): Promise<boolean> {
    const { client, clock, logger } = this.#deps;
    const { namespace, name } = gateway.meta;
    const current = await client.get(GATEWAYS, namespace, name);
    if (!current.ok) return current.error.isNotFound;
    const { generation = 0 } = current.value.metadata;
    const state = {
      hostname: serviceHostname(this.#deps.mesh(), namespace, name),
      refused,
      problem,
      isReady: this.#hasReadyPod(gateway),
      generation,
    };
    const status = waypointStatus(gateway, state, current.value['status'], conditionTime(clock.nowMs()));
    if (status === undefined) return true;
    const body = { status };
    const written = await client.patch(GATEWAYS, namespace, name, { type: 'merge', subresource: 'status', body });
    if (written.ok || written.error.isNotFound) return true;
    logger.warn('status not written', { object: `Gateway/${namespace}/${name}`, reason: written.error.message });
    return false;
  }

  #hasReadyPod({ meta }: GatewayObject): boolean {
    for (const { meta: pod, status } of this.#deps.store.all('Pod')) {
      if (pod.namespace !== meta.namespace || pod.labels.get(GATEWAY_NAME_LABEL) !== meta.name) continue;
      if (status.ready === true) return true;
    }
    return false;
  }
}

function invalidParameters(message: string): Outcome {
  return { refused: { reason: 'InvalidParameters', message } };
}

function isInvalid({ code, status }: KubeError): boolean {
  return code === 'KUBE_REFUSED' && INVALID_STATUS.has(status);
}
