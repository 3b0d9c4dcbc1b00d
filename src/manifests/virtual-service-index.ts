/**
 * VirtualServices by the hosts that they are about, by every host that they name, and by what they delegate to, so that
 * neither a service nor a change has to look at all of them (facts l7-and-control 1.1).
 *
 * Hosts are in lower case and as written: what a short name means depends on the domain of the mesh.
 */
import type { VirtualServiceObject } from '../model/manifest/virtual-service.ts';
import type { DestinationSpec, RouteSpec, VirtualServiceSpec } from '../model/manifest/virtual-service-spec.ts';

type Index = Map<string, Set<VirtualServiceObject>>;

const NONE: ReadonlySet<VirtualServiceObject> = new Set();

export class VirtualServiceIndex {
  readonly #byHost: Index = new Map();
  readonly #byMention: Index = new Map();
  readonly #rootsByDelegate: Index = new Map();

  add(object: VirtualServiceObject): void {
    for (const [index, key] of this.#placesOf(object)) {
      const objects = index.get(key);
      if (objects === undefined) index.set(key, new Set([object]));
      else objects.add(object);
    }
  }

  remove(object: VirtualServiceObject): void {
    for (const [index, key] of this.#placesOf(object)) {
      const objects = index.get(key);
      objects?.delete(object);
      if (objects?.size === 0) index.delete(key);
    }
  }

  /** Those of a namespace that list the host or pattern just so. */
  ofHost(namespace: string, host: string): Iterable<VirtualServiceObject> {
    return this.#byHost.get(`${namespace}/${host}`) ?? NONE;
  }

  /** Those of all namespaces that name the host, as host or as destination. @param host `<namespace>/<name>` for a short name */
  mentioning(host: string): Iterable<VirtualServiceObject> {
    return this.#byMention.get(host) ?? NONE;
  }

  /** Those that delegate to a VirtualService. */
  rootsOf(namespace: string, name: string): Iterable<VirtualServiceObject> {
    return this.#rootsByDelegate.get(`${namespace}/${name}`) ?? NONE;
  }

  *#placesOf({ meta, spec }: VirtualServiceObject): Generator<readonly [Index, string]> {
    const { namespace } = meta;
    const hosts = (spec.hosts ?? []).map((host) => host.toLowerCase());
    for (const host of hosts) yield [this.#byHost, `${namespace}/${host}`];
    for (const host of [...hosts, ...allDestinations(spec).map((to) => to.host.toLowerCase())]) {
      yield [this.#byMention, host.includes('.') ? host : `${namespace}/${host}`];
    }
    for (const { delegate } of spec.http ?? []) {
      if (delegate !== undefined) {
        yield [this.#rootsByDelegate, `${delegate.namespace || namespace}/${delegate.name ?? ''}`];
      }
    }
  }
}

/** By what goes to them. */
export interface DestinationsByUse {
  readonly requests: readonly DestinationSpec[];
  readonly connections: readonly DestinationSpec[];
  readonly copies: readonly DestinationSpec[];
}

/** Everything that rules send or copy traffic to. */
export function destinationsOf({ http = [], tls = [], tcp = [] }: VirtualServiceSpec): DestinationsByUse {
  const routed = (rules: readonly { readonly route?: readonly RouteSpec[] }[]) =>
    rules.flatMap(({ route = [] }) => route.map(({ destination }) => destination));
  const copies = http.flatMap(({ mirror, mirrors = [] }) => [
    ...(mirror === undefined ? [] : [mirror]),
    ...mirrors.map(({ destination }) => destination),
  ]);
  return { requests: routed(http), connections: routed([...tls, ...tcp]), copies };
}

function allDestinations(spec: VirtualServiceSpec): DestinationSpec[] {
  const { requests, connections, copies } = destinationsOf(spec);
  return [...requests, ...connections, ...copies];
}
