/** SPIFFE identities of the mesh: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` (facts ztunnel-wire 10.4). */

declare const spiffeBrand: unique symbol;
/** The full text of an identity, `spiffe://` included. */
export type SpiffeId = string & { readonly [spiffeBrand]: true };

/** The parts of an identity. */
export interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

export const DEFAULT_TRUST_DOMAIN = 'cluster.local';
const SCHEME = 'spiffe://';
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]{1,253}$/;

/** The text of an identity. */
export function spiffeId(identity: Identity): SpiffeId {
  return `${SCHEME}${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}` as SpiffeId;
}

/**
 * Reads an identity. Exactly the segments `/ns/<ns>/sa/<sa>` are accepted; anything else, `.` and `..` as segments and
 * characters outside of the SPIFFE alphabet included, is no identity.
 */
export function parseSpiffeId(text: string): Identity | undefined {
  if (!text.startsWith(SCHEME)) return undefined;
  const parts = text.slice(SCHEME.length).split('/');
  const [trustDomain = '', ns, namespace = '', sa, serviceAccount = ''] = parts;
  if (parts.length !== 5 || ns !== 'ns' || sa !== 'sa') return undefined;
  if (!TRUST_DOMAIN.test(trustDomain) || !isSegment(namespace) || !isSegment(serviceAccount)) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

/** The identity as policies compare it: without the scheme. */
export function principalOf(id: SpiffeId): string {
  return id.slice(SCHEME.length);
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== '.' && text !== '..';
}
