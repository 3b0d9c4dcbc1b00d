/**
 * The GatewayClasses of waypoints: made where the Gateway API is installed, and their status written (facts
 * l7-and-control 4.1). Runs while its replica leads. A class of another controller is left alone.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, GATEWAY_CLASSES } from '../kube/resource-kind.ts';
import { GATEWAY_CLASS_CRD } from '../model/installed-names.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { WAYPOINT_CLASSES } from '../model/manifest/gateway.ts';
import { gatewayClassStatus } from './gateway-class-status.ts';
import { conditionTime } from './merge-conditions.ts';
import { MESH_CONTROLLER } from './route-parent-status.ts';
import { WorkQueue } from './work-queue.ts';

export interface GatewayClassKeeperDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

const SPACING_MS = 20;
const BUNDLE_VERSION = 'gateway.networking.k8s.io/bundle-version';

export class GatewayClassKeeper {
  readonly #deps: GatewayClassKeeperDeps;
  readonly #queue: WorkQueue;
  readonly #reflector: Reflector;
  readonly #current = new Map<string, KubeObject>();

  constructor(deps: GatewayClassKeeperDeps) {
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, (name) => this.#keep(name));
    this.#reflector = new Reflector({ kind: GATEWAY_CLASSES }, deps, {
      replace: (objects) => {
        this.#current.clear();
        for (const object of objects) this.#current.set(object.metadata.name, object);
        for (const name of WAYPOINT_CLASSES) this.#queue.add(name);
      },
      upsert: (object) => {
        this.#current.set(object.metadata.name, object);
        this.#changed(object);
      },
      remove: (object) => {
        this.#current.delete(object.metadata.name);
        this.#changed(object);
      },
    });
  }

  start(): void {
    this.#reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#reflector.stop(), this.#queue.stop()]);
  }

  #changed({ metadata }: KubeObject): void {
    if (WAYPOINT_CLASSES.has(metadata.name)) this.#queue.add(metadata.name);
  }

  /** @returns false when it has to be tried again */
  async #keep(name: string): Promise<boolean> {
    const current = this.#current.get(name);
    if (current === undefined) return this.#create(name);
    if (fieldsOf(current['spec'])['controllerName'] !== MESH_CONTROLLER) return true;
    const { client, clock } = this.#deps;
    const { generation = 0 } = current.metadata;
    const version = await this.#bundleVersion();
    const status = gatewayClassStatus(current['status'], generation, version, conditionTime(clock.nowMs()));
    if (status === undefined) return true;
    const body = { status };
    const written = await client.patch(GATEWAY_CLASSES, '', name, { type: 'merge', subresource: 'status', body });
    return written.ok || written.error.isNotFound || this.#failed(name, written.error.message);
  }

  async #create(name: string): Promise<boolean> {
    const spec = {
      controllerName: MESH_CONTROLLER,
      description: 'waypoints: the mesh routes and checks requests there',
    };
    const created = await this.#deps.client.create(GATEWAY_CLASSES, '', { metadata: { name }, spec });
    // Without the CRD there is nothing to be made; one that was made in between comes with the watch.
    if (created.ok || created.error.isNotFound || created.error.isAlreadyExists) return true;
    return this.#failed(name, created.error.message);
  }

  /** The release of the Gateway API that is installed. */
  async #bundleVersion(): Promise<string | undefined> {
    const crd = await this.#deps.client.get(CUSTOM_RESOURCE_DEFINITIONS, '', GATEWAY_CLASS_CRD);
    return crd.ok ? crd.value.metadata.annotations?.[BUNDLE_VERSION] : undefined;
  }

  #failed(name: string, reason: string): false {
    this.#deps.logger.warn('GatewayClass not written', { name, reason });
    return false;
  }
}
