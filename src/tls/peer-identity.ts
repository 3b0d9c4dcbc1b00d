/**
 * Who a peer is, from its certificate (facts ztunnel-wire 7.1; performance B.2 row 14).
 *
 * Invariants:
 * - Exactly one URI name that is a mesh identity, or no identity at all. DNS names, addresses and the subject never count.
 * - Names that Node had to escape (control characters, commas, quotes) are never an identity.
 * - A certificate that says it is an authority's is nobody's (SPIFFE X509-SVID 4.1, 5.2), whether or not it may sign.
 */
import type { X509Certificate } from 'node:crypto';
import { type Identity, parseSpiffeId, type SpiffeId } from '../model/spiffe.ts';

export interface PeerIdentity {
  readonly id: SpiffeId;
  readonly identity: Identity;
}

const URI_PREFIX = 'URI:';
/** The identifier of basic constraints, in DER. */
const BASIC_CONSTRAINTS = Buffer.of(0x06, 0x03, 0x55, 0x1d, 0x13);
const BOOLEAN = 0x01;
const BOOLEAN_BYTES = 3;

/** The identity that a verified certificate carries; undefined when it carries none. */
export function peerIdentity(certificate: X509Certificate): PeerIdentity | undefined {
  const names = certificate.subjectAltName;
  if (names === undefined || names.includes('"') || isAuthority(certificate)) return undefined;
  const uris = names.split(', ').filter((name) => name.startsWith(URI_PREFIX));
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1) return undefined;
  const text = uri.slice(URI_PREFIX.length);
  const identity = parseSpiffeId(text);
  return identity && { id: text as SpiffeId, identity };
}

/** Basic constraints begin with `cA` (RFC 5280 4.2.1.9). Node's own `ca` asks for the usage to sign as well. */
function isAuthority({ raw }: X509Certificate): boolean {
  const found = raw.indexOf(BASIC_CONSTRAINTS);
  if (found < 0) return false;
  let at = found + BASIC_CONSTRAINTS.length;
  // Whether the extension is critical.
  if (raw[at] === BOOLEAN) at += BOOLEAN_BYTES;
  // The heads of an octet string and of the sequence in it, one byte of length each.
  at += 4;
  return raw[at - 1] !== 0 && raw[at] === BOOLEAN && raw[at + 2] !== 0;
}
