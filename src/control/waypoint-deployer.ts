/**
 * Runs the waypoints that Gateways ask for, and says in their status what became of it (facts l7-and-control 4.2, 4.3,
 * 5.2). Runs while its replica leads.
 *
 * Invariants:
 * - Everything that is made belongs to its Gateway and goes with it: the cluster's garbage collector does that.
 * - Fields that somebody else sets (replicas, resources by an overlay) are left alone: objects are applied, not replaced.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { DEPLOYMENTS, GATEWAYS, type ResourceKind, SERVICE_ACCOUNTS, SERVICES } from '../kube/resource-kind.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { type GatewayObject, isWaypoint } from '../model/manifest/gateway.ts';
import { GATEWAY_NAME_LABEL, waypointAccount, waypointService } from '../model/waypoint-objects.ts';
import { conditionTime } from './merge-conditions.ts';
import { type MeshOptions, serviceHostname } from './mesh-options.ts';
import { type WaypointRuntime, waypointDeployment } from './waypoint-deployment.ts';
import { waypointStatus } from './waypoint-status.ts';
import { WorkQueue } from './work-queue.ts';

export interface WaypointDeployerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: ObjectStore;
  readonly mesh: () => MeshOptions;
  /** Told when the options of the mesh change. @returns ends the subscription */
  readonly onMesh: (listener: () => void) => () => void;
}

const FIELD_MANAGER = 'ambit-gateway-controller';
const SPACING_MS = 20;

export class WaypointDeployer {
  readonly #runtime: WaypointRuntime;
  readonly #deps: WaypointDeployerDeps;
  readonly #queue: WorkQueue;
  #unsubscribe: (() => void)[] = [];

  constructor(runtime: WaypointRuntime, deps: WaypointDeployerDeps) {
    this.#runtime = runtime;
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, (key) => this.#deploy(key));
  }

  start(): void {
    const { store, onMesh } = this.#deps;
    this.#unsubscribe = [
      store.subscribe((changes) => {
        for (const { after } of changes) {
          if (after?.kind === 'Gateway') this.#queue.add(`${after.meta.namespace}/${after.meta.name}`);
          // Whether its pods are ready is in the status of the Gateway.
          if (after?.kind === 'Pod' || after?.kind === 'Service') this.#note(after.meta);
        }
      }),
      onMesh(() => this.#addAll()),
    ];
    this.#addAll();
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    await this.#queue.stop();
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
    const { store, mesh, logger } = this.#deps;
    const [namespace = '', name = ''] = key.split('/');
    const gateway = store.get('Gateway', namespace, name);
    if (gateway === undefined || !isWaypoint(gateway) || gateway.meta.deleting) return true;
    const parts: readonly (readonly [ResourceKind, object])[] = [
      [SERVICE_ACCOUNTS, waypointAccount(gateway)],
      [SERVICES, waypointService(gateway)],
      [DEPLOYMENTS, waypointDeployment(gateway, mesh().trustDomain, this.#runtime)],
    ];
    let problem: string | undefined;
    for (const [kind, body] of parts) problem ??= await this.#apply(kind, gateway, body);
    if (problem !== undefined) logger.warn('waypoint not deployed', { gateway: key, reason: problem });
    const written = await this.#writeStatus(gateway, problem);
    return problem === undefined && written;
  }

  async #apply(kind: ResourceKind, { meta }: GatewayObject, body: object): Promise<string | undefined> {
    const own = body as { readonly metadata: object };
    const owner = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: meta.name, uid: meta.uid };
    const owned = { ...body, metadata: { ...own.metadata, ownerReferences: [{ ...owner, controller: true }] } };
    const options = { type: 'apply', fieldManager: FIELD_MANAGER, force: true, body: owned } as const;
    const applied = await this.#deps.client.patch(kind, meta.namespace, meta.name, options);
    return applied.ok ? undefined : `${kind.kind} ${meta.namespace}/${meta.name}: ${applied.error.message}`;
  }

  async #writeStatus(gateway: GatewayObject, problem: string | undefined): Promise<boolean> {
    const { client, clock, logger } = this.#deps;
    const { namespace, name } = gateway.meta;
    const current = await client.get(GATEWAYS, namespace, name);
    if (!current.ok) return current.error.isNotFound;
    const { generation = 0 } = current.value.metadata;
    const state = {
      hostname: serviceHostname(this.#deps.mesh(), namespace, name),
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
