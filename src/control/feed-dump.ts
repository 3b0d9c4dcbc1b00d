/** `/debug/resourcesz`: what proxies are fed, as it goes over the wire, without what only some may know. */
import { AUTHORIZATION_PROVIDER_TYPE, WAYPOINT_POLICY_TYPE } from '../model/waypoint-feed.ts';
import { WaypointPolicy } from '../proto/gen/ambit.ts';
import type { ResourceStore } from '../xds/server/resource-store.ts';
import type { ModelBuilder } from './model-builder.ts';

/** By type URL and name, in base64. Credentials, providers' headers and keys of tokens are left out. */
export function feedDump(model: Pick<ModelBuilder, 'addresses' | 'authorizations' | 'waypointStores'>): object {
  const stores = [model.addresses, model.authorizations, ...model.waypointStores.values()];
  const shown = stores.filter(({ typeUrl }) => typeUrl !== AUTHORIZATION_PROVIDER_TYPE);
  return Object.fromEntries(shown.map((store) => [store.typeUrl, entriesOf(store)]));
}

function entriesOf(store: ResourceStore): object {
  const entries = [...store.names()].map((name) => {
    const value = store.get(name)?.value ?? Buffer.alloc(0);
    const shown = store.typeUrl === WAYPOINT_POLICY_TYPE ? withoutKeys(value) : value;
    return [name, Buffer.from(shown).toString('base64')] as const;
  });
  return Object.fromEntries(entries);
}

/** Keys of tokens may be symmetric. */
function withoutKeys(value: Uint8Array): Uint8Array {
  const policy = WaypointPolicy.decode(value);
  const hide = (name: string, field: unknown) => (name === 'jwks' ? undefined : field);
  const manifest = Buffer.from(JSON.stringify(JSON.parse(policy.manifest.toString('utf8'), hide)));
  return WaypointPolicy.encode({ ...policy, manifest }).finish();
}
