/**
 * Credentials as discovery streams see them: each its own.
 *
 * Invariant: a stream sees the credentials of a namespace while its caller is the account of a waypoint there, and
 * nothing else.
 */
import { createHash } from 'node:crypto';
import { CREDENTIAL_TYPE } from '../../../model/waypoint-feed.ts';
import { ResourceStore } from '../../../xds/server/resource-store.ts';
import type { StoredResource } from '../../../xds/server/stored-resource.ts';
import type { WaypointCredentials } from './waypoint-credentials.ts';

/** What one stream sees. */
export interface CredentialView {
  readonly store: ResourceStore;
  /** The stream is over. */
  close(): void;
}

const NOTHING: ReadonlyMap<string, Uint8Array> = new Map();

export class CredentialStores {
  readonly #isWaypoint: (namespace: string, account: string) => boolean;
  readonly #views = new Map<ResourceStore, string>();
  #byNamespace: WaypointCredentials['byNamespace'] = new Map();

  /** @param isWaypoint whether it is the service account of a waypoint that is there */
  constructor(isWaypoint: (namespace: string, account: string) => boolean) {
    this.#isWaypoint = isWaypoint;
  }

  /** @param caller `<namespace>/<service account>` */
  open(caller: string): CredentialView {
    const store = new ResourceStore(CREDENTIAL_TYPE);
    this.#views.set(store, caller);
    this.#fill(store, caller);
    return { store, close: () => void this.#views.delete(store) };
  }

  /** Shows every stream what it may see now. */
  update(byNamespace: WaypointCredentials['byNamespace']): void {
    this.#byNamespace = byNamespace;
    for (const [store, caller] of this.#views) this.#fill(store, caller);
  }

  #fill(store: ResourceStore, caller: string): void {
    const [namespace = '', account = ''] = caller.split('/');
    const wanted = this.#isWaypoint(namespace, account) ? (this.#byNamespace.get(namespace) ?? NOTHING) : NOTHING;
    const gone = [...store.names()].filter((name) => !wanted.has(name));
    store.update([...wanted].map(resourceOf), gone);
  }
}

function resourceOf([name, bytes]: readonly [string, Uint8Array]): StoredResource {
  const value = Buffer.from(bytes);
  const version = createHash('sha256').update(value).digest('base64url');
  return { name, version, value, aliases: [], groups: [] };
}
