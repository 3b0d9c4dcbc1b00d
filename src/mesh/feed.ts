/** The two resource types that ztunnel subscribes to, decoded into changes of the mesh state (facts ztunnel-wire 5). */
import { decodeAddress } from '../model/feed-decode.ts';
import { decodeAuthorization, denialInPlaceOf } from '../model/policy-decode.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';
import type { StateChange } from './mesh-state.ts';

export const ADDRESS_TYPE = 'type.googleapis.com/istio.workload.Address';
export const AUTHORIZATION_TYPE = 'type.googleapis.com/istio.security.Authorization';

export interface FeedOptions {
  /** Set to ask for addresses one by one: hears of each push of addresses, without what was refused, once it is applied. */
  readonly onAddresses?: ((resources: readonly ReceivedResource[], removed: readonly string[]) => void) | undefined;
}

/** The handlers that turn pushes into changes; `publish` gets each push as a whole. */
export function feedHandlers(
  { onAddresses }: FeedOptions,
  publish: (changes: readonly StateChange[]) => void,
): readonly ResourceHandler[] {
  // Names of policies that were accepted once: a refused one leaves them as they are.
  const accepted = new Set<string>();
  return [
    {
      typeUrl: ADDRESS_TYPE,
      onDemand: onAddresses !== undefined,
      apply: (resources, removed) => {
        const refused = decodeAll(
          resources,
          removed.map((name) => ({ kind: 'remove-address', name })),
          addressChange,
          publish,
        );
        onAddresses?.(refused.length === 0 ? resources : withoutRefused(resources, refused), removed);
        return refused;
      },
    },
    {
      typeUrl: AUTHORIZATION_TYPE,
      onDemand: false,
      apply: (resources, removed) => {
        for (const name of removed) accepted.delete(name);
        const refused = decodeAll(
          resources,
          removed.map((name) => ({ kind: 'remove-policy', name })),
          policyChange,
          publish,
        );
        const names = new Set(refused.map(({ name }) => name));
        for (const { name } of resources) if (!names.has(name)) accepted.add(name);
        const denials = resources
          .filter(({ name }) => names.has(name) && !accepted.has(name))
          .map(({ name, bytes }): StateChange => ({ kind: 'policy', policy: denialInPlaceOf(name, bytes) }));
        if (denials.length > 0) publish(denials);
        return refused;
      },
    },
  ];
}

function withoutRefused(
  resources: readonly ReceivedResource[],
  refused: readonly RefusedResource[],
): readonly ReceivedResource[] {
  const names = new Set(refused.map(({ name }) => name));
  return resources.filter(({ name }) => !names.has(name));
}

type Decoded = { readonly ok: true; readonly value: StateChange } | { readonly ok: false; readonly error: string };

function addressChange({ bytes }: ReceivedResource): Decoded {
  const decoded = decodeAddress(bytes);
  return decoded.ok ? { ok: true, value: decoded.value } : decoded;
}

function policyChange({ bytes }: ReceivedResource): Decoded {
  const decoded = decodeAuthorization(bytes);
  return decoded.ok ? { ok: true, value: { kind: 'policy', policy: decoded.value } } : decoded;
}

function decodeAll(
  resources: readonly ReceivedResource[],
  removals: StateChange[],
  decode: (resource: ReceivedResource) => Decoded,
  publish: (changes: readonly StateChange[]) => void,
): readonly RefusedResource[] {
  const changes = removals;
  const refused: RefusedResource[] = [];
  for (const resource of resources) {
    const decoded = decode(resource);
    if (decoded.ok) changes.push(decoded.value);
    else refused.push({ name: resource.name, reason: decoded.error });
  }
  if (changes.length > 0) publish(changes);
  return refused;
}
