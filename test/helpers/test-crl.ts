/** Revocation lists for tests. Where nobody looks at it, their signature is a placeholder. */
import { type KeyObject, sign } from 'node:crypto';

import { bitString, type DerNode, encodeDer, oid, positiveInteger, sequence, time } from '../../src/pki/der.ts';
import { OID } from '../../src/pki/oids.ts';
import { parseCertificate } from '../../src/pki/parsed-certificate.ts';
import { formatPem, parsePem } from '../../src/pki/pem.ts';
import type { TestCa } from './test-ca.ts';

/** A serial number as `config_dump` prints it. */
export type DecimalSerial = string;

/** A list of the certificate authority with this certificate, in DER. */
export function createCrl(
  issuerPem: string,
  serials: readonly DecimalSerial[],
  version2 = true,
  signer?: KeyObject,
): Buffer {
  const issuer = parseCertificate(parsePem(issuerPem)[0]?.der ?? Buffer.alloc(0));
  if (issuer === undefined) throw new Error('no issuer certificate');
  const nowMs = Date.now();
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const entries: DerNode[] = serials.map((serial) => sequence(positiveInteger(serialBytes(serial)), time(nowMs)));
  const list = sequence(
    ...(version2 ? [positiveInteger(Buffer.of(1))] : []),
    algorithm,
    issuer.subject,
    time(nowMs),
    time(nowMs + 86_400_000),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
  );
  const signature = signer === undefined ? Buffer.alloc(8) : sign('sha256', encodeDer(list), signer);
  return encodeDer(sequence(list, algorithm, bitString(signature)));
}

/** A list as PEM that TLS believes. */
export function createSignedCrlPem({ rootPem, issuer }: TestCa, serials: readonly DecimalSerial[]): string {
  return formatPem('X509 CRL', createCrl(rootPem, serials, true, issuer.privateKey));
}

/** The same as PEM. */
export function createCrlPem(issuerPem: string, serials: readonly DecimalSerial[]): string {
  return formatPem('X509 CRL', createCrl(issuerPem, serials));
}

function serialBytes(serial: DecimalSerial): Buffer {
  const hex = BigInt(serial).toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}
