/**
 * Who a peer is, from its certificate (facts ztunnel-wire 7.1; performance B.2 row 14).
 *
 * Invariants:
 * - Exactly one URI name that is a mesh identity, or no identity at all. DNS names, addresses and the subject never count.
 * - Names that Node had to escape (control characters, commas, quotes) are never an identity.
 */
import type { X509Certificate } from 'node:crypto';
import { type Identity, parseSpiffeId, type SpiffeId } from '../model/spiffe.ts';

export interface PeerIdentity {
  readonly id: SpiffeId;
  readonly identity: Identity;
}

const URI_PREFIX = 'URI:';

/** The identity that a verified certificate carries; undefined when it carries none. */
export function peerIdentity(certificate: X509Certificate): PeerIdentity | undefined {
  const names = certificate.subjectAltName;
  if (names === undefined || names.includes('"')) return undefined;
  const uris = names.split(', ').filter((name) => name.startsWith(URI_PREFIX));
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1) return undefined;
  const text = uri.slice(URI_PREFIX.length);
  const identity = parseSpiffeId(text);
  return identity && { id: text as SpiffeId, identity };
}
