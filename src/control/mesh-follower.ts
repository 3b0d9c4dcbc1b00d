/**
 * The options of the mesh as they are now: flags, overridden by MeshConfig, and by the network label of the control
 * plane's namespace (facts l7-and-control 6.5, 9.9). A revision reads ConfigMap `istio-<revision>` where there is one,
 * else `istio`. A text that cannot be used leaves the last good one in force.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import { CONFIG_MAPS } from '../kube/resource-kind.ts';
import type { ObjectStore } from '../manifests/object-store.ts';
import { MESH_CONFIG_MAP } from '../model/installed-names.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { type MeshConfig, NO_MESH_CONFIG, parseMeshConfig } from '../model/mesh-config.ts';
import type { MeshOptions } from './mesh-options.ts';

export interface MeshFollowerOptions {
  /** What holds where the configuration says nothing. */
  readonly base: MeshOptions;
  /** Namespace of the control plane. */
  readonly namespace: string;
  readonly revision: string;
}

export interface MeshFollowerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly store: ObjectStore;
}

const KEY = 'mesh';
const NETWORK_LABEL = 'topology.istio.io/network';

export class MeshFollower {
  readonly #options: MeshFollowerOptions;
  readonly #deps: MeshFollowerDeps;
  /** Of the ConfigMaps by name, the one that counts more first. */
  readonly #reflectors: ReadonlyMap<string, Reflector>;
  readonly #held = new Map<string, KubeObject>();
  #config: MeshConfig = NO_MESH_CONFIG;
  #problem = '';
  #onChange: () => void = () => undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: MeshFollowerOptions, deps: MeshFollowerDeps) {
    this.#options = options;
    this.#deps = deps;
    const { revision } = options;
    const names = revision === 'default' ? [] : [`${MESH_CONFIG_MAP}-${revision}`];
    this.#reflectors = new Map([...names, MESH_CONFIG_MAP].map((name) => [name, this.#reflect(name)]));
  }

  #reflect(name: string): Reflector {
    const { namespace } = this.#options;
    const hold = (map: KubeObject | undefined) => {
      if (map === undefined) this.#held.delete(name);
      else this.#held.set(name, map);
      this.#take();
    };
    return new Reflector({ kind: CONFIG_MAPS, namespace, fieldSelector: `metadata.name=${name}` }, this.#deps, {
      replace: ([map]) => hold(map),
      upsert: hold,
      remove: () => hold(undefined),
    });
  }

  get mesh(): MeshOptions {
    const { base, namespace } = this.#options;
    const { trustDomain, rootNamespace, authorizers, telemetry } = this.#config;
    const network = this.#deps.store.get('Namespace', '', namespace)?.meta.labels.get(NETWORK_LABEL);
    return {
      ...base,
      authorizers,
      telemetry,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(rootNamespace === undefined ? {} : { rootNamespace }),
      ...(network === undefined ? {} : { network }),
    };
  }

  get config(): MeshConfig {
    return this.#config;
  }

  /** Reads the configuration, and follows it until `stop`. Resolves when it is known. */
  async start(): Promise<void> {
    const reflectors = [...this.#reflectors.values()];
    for (const reflector of reflectors) reflector.start();
    await Promise.all(reflectors.map(({ synced }) => synced));
  }

  /** Calls back after each change of the options or of the selectors. */
  onChange(listener: () => void): void {
    const { namespace } = this.#options;
    this.#onChange = listener;
    this.#unsubscribe = this.#deps.store.subscribe((changes) => {
      const own = changes.find(({ before, after }) => {
        const object = after ?? before;
        return object?.kind === 'Namespace' && object.meta.name === namespace;
      });
      if (own === undefined) return;
      if (own.before?.meta.labels.get(NETWORK_LABEL) !== own.after?.meta.labels.get(NETWORK_LABEL)) listener();
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  #take(): void {
    const name = [...this.#reflectors.keys()].find((candidate) => this.#held.has(candidate)) ?? MESH_CONFIG_MAP;
    const data = fieldsOf(this.#held.get(name)?.['data']);
    const text = data[KEY];
    const parsed = parseMeshConfig(typeof text === 'string' ? text : '');
    const object = `ConfigMap ${this.#options.namespace}/${name}`;
    if (!parsed.ok) {
      const { logger } = this.#deps;
      const message = 'mesh configuration refused, the last good one stays in force';
      if (parsed.error !== this.#problem) logger.error(message, { object, field: `data.${KEY}`, reason: parsed.error });
      this.#problem = parsed.error;
      return;
    }
    if (this.#problem !== '') this.#deps.logger.info('mesh configuration accepted again', { object });
    this.#problem = '';
    if (isDeepStrictEqual(parsed.value, this.#config)) return;
    this.#config = parsed.value;
    this.#onChange();
  }
}
