/**
 * Which policies a workload lists by key: AuthorizationPolicies that select it, and what its effective PeerAuthentication
 * turns into (facts ztunnel-wire 8.6). Namespace-wide and mesh-wide policies are found by scope and are not listed.
 */

import type { ObjectStore } from '../manifests/object-store.ts';
import { convertedPeerAuthenticationName, STATIC_STRICT_NAME } from '../model/fed-policy-name.ts';
import type { AuthorizationPolicyObject } from '../model/manifest/authorization-policy.ts';
import { type Labels, selectorMatches } from '../model/manifest/object-meta.ts';
import type { PeerAuthenticationObject } from '../model/manifest/peer-authentication.ts';
import type { MeshOptions } from './mesh-options.ts';
import { buildAuthorization, buildPeerAuthentication, isStrict } from './policy-builder.ts';

/** Keys `<namespace>/<name>`, authorization policies first, each group in order of name. */
export function policiesOfWorkload(store: ObjectStore, mesh: MeshOptions, namespace: string, labels: Labels): string[] {
  const keys: string[] = [];
  for (const policy of selectingPolicies(store, mesh, namespace, labels)) {
    keys.push(`${policy.meta.namespace}/${policy.meta.name}`);
  }
  keys.sort();
  const peer = peerPolicyKey(store, mesh, namespace, labels);
  if (peer !== undefined) keys.push(peer);
  return keys;
}

/** Whether namespace or mesh ask for STRICT, before any policy that selects the workload itself. */
export function isNamespaceStrict(store: ObjectStore, mesh: MeshOptions, namespace: string): boolean {
  const meshWide = oldest(store.inNamespace('PeerAuthentication', mesh.rootNamespace), isUnselective);
  const meshStrict = meshWide !== undefined && isStrict(meshWide, false);
  if (namespace === mesh.rootNamespace) return meshStrict;
  const own = oldest(store.inNamespace('PeerAuthentication', namespace), isUnselective);
  return own === undefined ? meshStrict : isStrict(own, meshStrict);
}

function* selectingPolicies(
  store: ObjectStore,
  mesh: MeshOptions,
  namespace: string,
  labels: Labels,
): Iterable<AuthorizationPolicyObject> {
  const namespaces = namespace === mesh.rootNamespace ? [namespace] : [namespace, mesh.rootNamespace];
  for (const owner of namespaces) {
    for (const policy of store.inNamespace('AuthorizationPolicy', owner)) {
      if (policy.selector === undefined || !selectorMatches(policy.selector, labels)) continue;
      if (buildAuthorization(policy, mesh) !== undefined) yield policy;
    }
  }
}

function peerPolicyKey(store: ObjectStore, mesh: MeshOptions, namespace: string, labels: Labels): string | undefined {
  const inheritedStrict = isNamespaceStrict(store, mesh, namespace);
  const own = selectingPeerAuthentication(store, mesh, namespace, labels);
  if (own !== undefined && buildPeerAuthentication(own, inheritedStrict) !== undefined) {
    return `${namespace}/${convertedPeerAuthenticationName(own.meta.name)}`;
  }
  const strict = own === undefined ? inheritedStrict : isStrict(own, inheritedStrict);
  return strict ? `${mesh.rootNamespace}/${STATIC_STRICT_NAME}` : undefined;
}

/** A selector in the root namespace selects nothing (facts l7-and-control 3.4). */
function selectingPeerAuthentication(
  store: ObjectStore,
  mesh: MeshOptions,
  namespace: string,
  labels: Labels,
): PeerAuthenticationObject | undefined {
  if (namespace === mesh.rootNamespace) return undefined;
  return oldest(
    store.inNamespace('PeerAuthentication', namespace),
    (peer) => peer.selector !== undefined && selectorMatches(peer.selector, labels),
  );
}

function isUnselective(peer: PeerAuthenticationObject): boolean {
  return peer.selector === undefined;
}

/** The oldest that passes; without a time of creation the name decides. */
function oldest(
  peers: Iterable<PeerAuthenticationObject>,
  passes: (peer: PeerAuthenticationObject) => boolean,
): PeerAuthenticationObject | undefined {
  let best: PeerAuthenticationObject | undefined;
  for (const peer of peers) if (passes(peer) && (best === undefined || isOlder(peer, best))) best = peer;
  return best;
}

function isOlder(a: PeerAuthenticationObject, b: PeerAuthenticationObject): boolean {
  const aMs = a.meta.createdMs ?? Number.POSITIVE_INFINITY;
  const bMs = b.meta.createdMs ?? Number.POSITIVE_INFINITY;
  return aMs === bMs ? a.meta.name < b.meta.name : aMs < bMs;
}
