/**
 * What the policies of objects are called where proxies ask them, and in what they count (facts ztunnel-wire 8.6).
 *
 * PeerAuthentications are no policies of the feed: they become some, of other names.
 */

/** Asked for callers without an identity by all workloads that are STRICT; of the root namespace. */
export const STATIC_STRICT_NAME = 'istio_converted_static_strict';
/** After the name of a policy that a waypoint cannot use, as long as it has no earlier one: it denies everything. */
export const UNUSABLE_SUFFIX = ' (unusable)';

const CONVERTED_PREFIX = 'converted_peer_authentication_';

/** What of an object decides how its policies are called. */
export interface PolicySource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a PeerAuthentication; undefined where it is not known, of one that was refused. */
  readonly peer?: { readonly isStrict: boolean; readonly hasPorts: boolean; readonly hasSelector: boolean } | undefined;
}

/** The name of a PeerAuthentication's own policy, for its mode and ports where the two differ. */
export function convertedPeerAuthenticationName(name: string): string {
  return CONVERTED_PREFIX + name;
}

/**
 * The policies that an object may be fed to ztunnels as, `namespace/name`. None for a PeerAuthentication that lets everybody
 * in: there is nothing to ask.
 */
export function fedPolicyNames({ kind, namespace, name, peer }: PolicySource, rootNamespace: string): string[] {
  if (kind === 'AuthorizationPolicy') return [`${namespace}/${name}`];
  if (kind !== 'PeerAuthentication') return [];
  const own = `${namespace}/${convertedPeerAuthenticationName(name)}`;
  // A selector in the root namespace selects nothing (facts l7-and-control 3.4): no proxy gets it.
  if (peer === undefined || (peer.hasSelector && namespace === rootNamespace)) return [own];
  if (peer.hasPorts) return [own];
  return peer.isStrict ? [`${rootNamespace}/${STATIC_STRICT_NAME}`] : [];
}

/** The object that a policy of a ztunnel is of. @returns no name for what all STRICT PeerAuthentications share */
export function sourceOfFedPolicy(name: string): Pick<PolicySource, 'kind' | 'name'> {
  if (name === STATIC_STRICT_NAME) return { kind: 'PeerAuthentication', name: '' };
  if (!name.startsWith(CONVERTED_PREFIX)) return { kind: 'AuthorizationPolicy', name };
  return { kind: 'PeerAuthentication', name: name.slice(CONVERTED_PREFIX.length) };
}
