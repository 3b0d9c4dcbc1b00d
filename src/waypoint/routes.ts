/** The routes that the control plane gives to waypoints, ready for requests. */
import { errorText } from '../base/errors.ts';
import { type Service, serviceKey } from '../model/service.ts';
import { SERVICE_ROUTES_TYPE } from '../model/waypoint-feed.ts';
import { ServiceRoutes } from '../proto/gen/ambit.ts';
import { type CompiledPort, CompiledRoutes } from '../routing/compile-routes.ts';
import { unusableRoute } from '../routing/unusable-route.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';

const NO_ROUTES = new CompiledRoutes({ ports: [], session: undefined });

/** In the place of routes that were refused. */
function unusableRoutes(reason: string): CompiledRoutes {
  const http = [unusableRoute(reason)];
  const port = { port: 0, http, tcp: [], hasHttp: true, hasTcp: true, grpcWeb: false, clientNamespace: '' };
  return new CompiledRoutes({ ports: [port], session: undefined });
}

export class Routes {
  readonly #byService = new Map<string, CompiledRoutes>();
  /** What these were made of, for people. */
  readonly #fed = new Map<string, Uint8Array>();
  /** By the service as connections know it; new at each change. */
  #byObject = new WeakMap<Service, CompiledRoutes>();
  #known = false;

  /** The subscription that fills this. */
  handler(): ResourceHandler {
    return {
      typeUrl: SERVICE_ROUTES_TYPE,
      onDemand: false,
      apply: (resources, removed) => this.#apply(resources, removed),
    };
  }

  /** Whether the control plane has said which there are: before, nothing is known to be without routes. */
  get known(): boolean {
    return this.#known;
  }

  /** All routes, as the feed has them. */
  *held(): IterableIterator<ServiceRoutes> {
    for (const bytes of this.#fed.values()) yield ServiceRoutes.decode(bytes);
  }

  /**
   * What is configured for a port of the service; undefined for nothing.
   * @param clientNamespace of the identity of whoever calls; undefined for nobody's
   */
  of(service: Service, port: number, clientNamespace: string | undefined): CompiledPort | undefined {
    let routes = this.#byObject.get(service);
    if (routes === undefined) {
      routes = this.#byService.get(serviceKey(service)) ?? NO_ROUTES;
      this.#byObject.set(service, routes);
    }
    return routes.of(port, clientNamespace);
  }

  #apply(resources: readonly ReceivedResource[], removed: readonly string[]): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const name of removed) {
      this.#byService.delete(name);
      this.#fed.delete(name);
    }
    for (const { name, bytes } of resources) {
      try {
        this.#byService.set(name, new CompiledRoutes(ServiceRoutes.decode(bytes)));
        this.#fed.set(name, bytes);
      } catch (error) {
        // The last good routes stay.
        const reason = `it cannot be used: ${errorText(error)}`;
        refused.push({ name, reason });
        if (!this.#byService.has(name)) this.#byService.set(name, unusableRoutes(reason));
      }
    }
    this.#byObject = new WeakMap();
    this.#known = true;
    return refused;
  }
}
