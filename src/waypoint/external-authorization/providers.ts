/** The external authorizers that the control plane tells waypoints of, ready to be asked. */
import { errorText } from '../../base/errors.ts';
import { AUTHORIZATION_PROVIDER_TYPE } from '../../model/waypoint-feed.ts';
import { AuthorizationProvider } from '../../proto/gen/ambit.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../../xds/client/delta-client.ts';
import { compileHttpCheck, type HttpChecker } from './http-check.ts';

export interface CompiledProvider {
  readonly settings: AuthorizationProvider;
  /** Undefined for one that speaks gRPC. */
  readonly http: HttpChecker | undefined;
}

export class AuthorizationProviders {
  readonly #byName = new Map<string, CompiledProvider>();

  /** The subscription that fills this. */
  handler(): ResourceHandler {
    return {
      typeUrl: AUTHORIZATION_PROVIDER_TYPE,
      onDemand: false,
      apply: (resources, removed) => this.#apply(resources, removed),
    };
  }

  get(name: string): CompiledProvider | undefined {
    return this.#byName.get(name);
  }

  #apply(resources: readonly ReceivedResource[], removed: readonly string[]): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const name of removed) this.#byName.delete(name);
    for (const { name, bytes } of resources) {
      try {
        const settings = AuthorizationProvider.decode(bytes);
        this.#byName.set(name, { settings, http: settings.http && compileHttpCheck(settings.http) });
      } catch (error) {
        // The last good one stays.
        refused.push({ name, reason: `it cannot be decoded: ${errorText(error)}` });
      }
    }
    return refused;
  }
}
