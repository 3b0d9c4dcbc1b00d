/**
 * Certificate revocation lists (RFC 5280 5.1): which certificates, by issuer and serial number, are withdrawn.
 *
 * The lists come from a file that the operator mounts, as the roots do, so their signatures are not checked again: an
 * entry can only refuse a peer, never let one in.
 */
import type { X509Certificate } from 'node:crypto';
import { fail, ok, type Result } from '../base/result.ts';
import { childrenOf, contentOf, type DerNode, decodeDer, encodeDer, isContext, isSequence } from '../pki/der.ts';
import { parsePem } from '../pki/pem.ts';

const INTEGER = 2;
/** Longer than any chain that a peer of the mesh sends. */
const MAX_CHAIN = 8;

/** One certificate as revocation sees it: `<issuer name in DER>|<serial number>`, both in hex. */
export type RevocationKey = string;

/** The withdrawn certificates of every list in the file, PEM or DER; the error says which list is broken. */
export function parseRevocationLists(file: Buffer): Result<RevocationKey[], string> {
  const blocks = parsePem(file.toString('latin1')).filter(({ label }) => label === 'X509 CRL');
  const lists = blocks.length > 0 ? blocks.map(({ der }) => der) : [file];
  const keys: RevocationKey[] = [];
  for (const [index, der] of lists.entries()) {
    const found = parseList(der);
    if (found === undefined) return fail(`revocation list ${index + 1} of ${lists.length} is neither PEM nor DER`);
    for (const key of found) keys.push(key);
  }
  return ok(keys);
}

function parseList(der: Buffer): RevocationKey[] | undefined {
  const [list] = childrenOf(decodeDer(der));
  if (!isSequence(list)) return undefined;
  const fields = [...childrenOf(list)];
  // The version is there in lists of version 2 only.
  if (isInteger(fields[0])) fields.shift();
  const [algorithm, issuer, thisUpdate, ...rest] = fields;
  if (!isSequence(algorithm) || issuer === undefined || !isSequence(issuer) || thisUpdate === undefined)
    return undefined;
  const revoked = rest.find((field) => isSequence(field) && !isContext(field, 0));
  const issuerHex = encodeDer(issuer).toString('hex');
  return childrenOf(revoked).map((entry) => `${issuerHex}|${serialHex(contentOf(childrenOf(entry)[0]))}`);
}

/** The keys of a peer's certificate and of the chain that was verified with it. */
export function revocationKeys(certificate: X509Certificate): RevocationKey[] {
  const keys: RevocationKey[] = [];
  let current: X509Certificate | undefined = certificate;
  while (current !== undefined && keys.length < MAX_CHAIN) {
    const key = revocationKey(current);
    if (key !== undefined && keys.includes(key)) break;
    if (key !== undefined) keys.push(key);
    current = current.issuerCertificate;
  }
  return keys;
}

function revocationKey(certificate: X509Certificate): RevocationKey | undefined {
  const fields = [...childrenOf(childrenOf(decodeDer(certificate.raw))[0])];
  if (isContext(fields[0], 0)) fields.shift();
  const [serial, , issuer] = fields;
  return issuer && `${encodeDer(issuer).toString('hex')}|${serialHex(contentOf(serial))}`;
}

/** Leading zeros say nothing about a number. */
function serialHex(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(00)+(?=..)/, '');
}

function isInteger(node: DerNode | undefined): boolean {
  return node?.tagClass === 0 && node.type === INTEGER;
}
