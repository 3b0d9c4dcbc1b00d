/**
 * The ConfigMaps with overlays of a waypoint: that of its class, from the namespace of the control plane, then that of
 * the Gateway itself (facts l7-and-control 4.2).
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type KubeObject, objectName } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { CONFIG_MAPS } from '../kube/resource-kind.ts';
import type { GatewayObject } from '../model/manifest/gateway.ts';
import { readOverlays, type WaypointOverlays } from './waypoint-overlays.ts';

export interface WaypointParametersDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Where the defaults of classes are. */
  readonly namespace: string;
  /** Told when the defaults of classes change. */
  readonly onChange: () => void;
}

export interface ParameterProblem {
  readonly message: string;
  /** Whether what people wrote is wrong; otherwise it could not be read now. */
  readonly isInvalid: boolean;
}

const CLASS_LABEL = 'gateway.istio.io/defaults-for-class';

export class WaypointParameters {
  readonly #deps: WaypointParametersDeps;
  readonly #reflector: Reflector;
  readonly #defaults = new Map<string, KubeObject>();

  #isListed = false;

  constructor(deps: WaypointParametersDeps) {
    this.#deps = deps;
    const options = { kind: CONFIG_MAPS, namespace: deps.namespace, labelSelector: CLASS_LABEL };
    this.#reflector = new Reflector(options, deps, {
      replace: (objects) => {
        this.#defaults.clear();
        for (const object of objects) this.#defaults.set(object.metadata.name, object);
        this.#isListed = true;
        deps.onChange();
      },
      upsert: (object) => {
        this.#defaults.set(object.metadata.name, object);
        deps.onChange();
      },
      remove: (object) => {
        this.#defaults.delete(object.metadata.name);
        deps.onChange();
      },
    });
  }

  /** Whether the defaults of classes are known; told by `onChange`. */
  get hasSynced(): boolean {
    return this.#isListed;
  }

  start(): void {
    this.#reflector.start();
  }

  async stop(): Promise<void> {
    await this.#reflector.stop();
  }

  /** The overlays of a waypoint; the later ones win. */
  async of(gateway: GatewayObject): Promise<Result<readonly WaypointOverlays[], ParameterProblem>> {
    const own = await this.#own(gateway);
    if (!own.ok) return own;
    const found: WaypointOverlays[] = [];
    for (const configMap of [this.#defaultsOf(gateway.className), own.value]) {
      if (configMap === undefined) continue;
      const overlays = readOverlays(`ConfigMap ${objectName(configMap)}`, configMap['data']);
      if (!overlays.ok) return invalid(overlays.error);
      found.push(overlays.value);
    }
    return ok(found);
  }

  /** Of several the first by name. */
  #defaultsOf(className: string): KubeObject | undefined {
    return [...this.#defaults.values()]
      .filter(({ metadata }) => metadata.labels?.[CLASS_LABEL] === className)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0];
  }

  async #own({ meta, infrastructure }: GatewayObject): Promise<Result<KubeObject | undefined, ParameterProblem>> {
    const reference = infrastructure.parametersRef;
    if (reference === undefined) return ok(undefined);
    const { group, kind, name } = reference;
    if (group !== '' || kind !== 'ConfigMap') {
      return invalid(`spec.infrastructure.parametersRef: must be a ConfigMap, is ${kind} of group "${group}"`);
    }
    const found = await this.#deps.client.get(CONFIG_MAPS, meta.namespace, name);
    if (found.ok) return found;
    if (found.error.isNotFound) return invalid(`ConfigMap ${meta.namespace}/${name} does not exist`);
    return fail({ message: found.error.message, isInvalid: false });
  }
}

function invalid(message: string): Result<never, ParameterProblem> {
  return fail({ message, isInvalid: true });
}
