/** Keeps what the control plane has to know of the waypoints in the manifests: their objects, and tokens of their accounts. */
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type GatewayObject, isWaypoint } from '../model/manifest/gateway.ts';
import { waypointAccount, waypointService } from '../model/waypoint-objects.ts';
import type { RunFolder } from './run-folder.ts';
import type { StatusFolder } from './status-folder.ts';
import type { TokenIssuer } from './token-issuer.ts';

export interface WaypointObjectsDeps {
  readonly run: RunFolder;
  readonly status: StatusFolder;
  readonly issuer: TokenIssuer;
  readonly logger: Logger;
}

interface Written {
  readonly token: string;
  /** The names under which the objects are in the status folder. */
  readonly manifests: readonly string[];
}

export class WaypointObjects {
  readonly #deps: WaypointObjectsDeps;
  /** By `<namespace>/<name>`. */
  readonly #written = new Map<string, Written>();

  constructor(deps: WaypointObjectsDeps) {
    this.#deps = deps;
  }

  /** Writes what is missing and removes what is not asked for any more. */
  follow(gateways: Iterable<GatewayObject>): void {
    const gone = new Set(this.#written.keys());
    for (const gateway of gateways) {
      if (!isWaypoint(gateway)) continue;
      gone.delete(keyOf(gateway));
      this.#write(gateway);
    }
    for (const key of gone) this.#remove(key);
  }

  #write(gateway: GatewayObject): void {
    const { run, status } = this.#deps;
    const { namespace, name } = gateway.meta;
    const manifests = [waypointAccount(gateway), waypointService(gateway)].map((manifest, index) => {
      const file = `gateway_${namespace}_${name}_${index}`;
      status.set(file, manifest);
      return file;
    });
    const token = run.waypointToken(namespace, name);
    if (!this.#written.has(keyOf(gateway))) this.#maintainToken(token, namespace, name);
    this.#written.set(keyOf(gateway), { token, manifests });
  }

  /** The waypoint waits for its token, so nothing here does. */
  #maintainToken(token: string, namespace: string, name: string): void {
    const { issuer, logger } = this.#deps;
    const subject = { namespace, serviceAccount: name, podName: name, nodeName: '' };
    issuer.maintain(token, subject).catch((error: unknown) => {
      logger.error('no token for a waypoint', { waypoint: `${namespace}/${name}`, reason: errorText(error) });
    });
  }

  #remove(key: string): void {
    const written = this.#written.get(key);
    this.#written.delete(key);
    if (written === undefined) return;
    this.#deps.issuer.forget(written.token);
    for (const name of written.manifests) this.#deps.status.remove(name);
  }
}

function keyOf({ meta }: GatewayObject): string {
  return `${meta.namespace}/${meta.name}`;
}
