/** What a person can do about a verdict. */
import { type Identity, principalOf, spiffeId } from '../../model/spiffe.ts';
import type { CallDestination, CallSource } from './find-ends.ts';

/** In the names of policies that are made of PeerAuthentications. */
const STRICT = 'converted_';

export class Advice {
  readonly #source: CallSource;

  constructor(source: CallSource) {
    this.#source = source;
  }

  /** The client's ztunnel found no way. @param code of the error */
  forWay(code: string, { name, service, port }: Pick<CallDestination, 'name' | 'service' | 'port'>): string {
    if (code === 'UNKNOWN_WAYPOINT')
      return 'the waypoint that it names has no pod that is ready: ambit waypoint status';
    if (code !== 'NO_HEALTHY_UPSTREAM') return '';
    if (service !== undefined && !service.ports.has(port)) {
      return `the service has no port ${port}; it has ${[...service.ports.keys()].join(', ') || 'none'}`;
    }
    return this.forEndpoints(name);
  }

  forEndpoints(name: string): string {
    return `give ${name} pods that match its selector and are ready`;
  }

  /** @param rule `ns[…]-policy[…]-rule[…]` */
  forDeny(rule: string): string {
    const [, namespace, name, index] = /^ns\[(.*)\]-policy\[(.*)\]-rule\[(\d+)\]$/.exec(rule) ?? [];
    if (namespace === undefined) return '';
    return `change rule ${index} (counted from 0) of AuthorizationPolicy ${namespace}/${name} so that it does not match`;
  }

  /** @param allows names of the policies of which one has to allow it */
  forAllow(allows: readonly string[]): string {
    return `add to one of ${allows.join(', ')} a rule for ${this.#client(this.#source)}, and for what it asks for`;
  }

  /** The endpoint's ztunnel refused. @param identity whom it saw */
  forConnection(reason: string, allows: readonly string[], identity: Identity | undefined): string {
    if (identity === undefined && reason.includes(STRICT)) {
      return `PeerAuthentication asks for mutual TLS: ${JOIN}, or make its mode PERMISSIVE there`;
    }
    const [, key] = /^explicitly denied by: (.*)$/.exec(reason) ?? [];
    if (key !== undefined) return `change policy ${key} so that it does not match`;
    if (identity === undefined) return `${allows.join(', ')} may know clients by identity only: ${JOIN}`;
    return `add to one of ${allows.join(', ')} a rule for ${this.#client(identity)}`;
  }

  #client(identity: Identity | undefined): string {
    return identity === undefined ? 'the client' : `principal ${principalOf(spiffeId(identity))}`;
  }
}

const JOIN = 'take the client into the mesh (label istio.io/dataplane-mode=ambient on its namespace)';
