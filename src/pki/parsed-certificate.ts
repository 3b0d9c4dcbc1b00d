/** The fields of a certificate that node:crypto does not hand out as bytes: subject name and key identifier. */
import { X509Certificate } from 'node:crypto';
import { bitStringBytes, childrenOf, contentOf, type DerNode, decodeDer, isContext, oidOf } from './der.ts';
import { OID } from './oids.ts';
import { formatPem } from './pem.ts';
import { keyIdentifier } from './signature-algorithm.ts';

export interface ParsedCertificate {
  readonly x509: X509Certificate;
  readonly pem: string;
  readonly der: Buffer;
  readonly subject: DerNode;
  readonly subjectKeyId: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Reads a certificate; undefined when the bytes are none. */
export function parseCertificate(der: Buffer): ParsedCertificate | undefined {
  const x509 = openCertificate(der);
  if (x509 === undefined) return undefined;
  const fields = [...childrenOf(childrenOf(decodeDer(x509.raw))[0])];
  if (isContext(fields[0], 0)) fields.shift();
  const [, , , , subject, publicKey, ...rest] = fields;
  const keyBits = bitStringBytes(childrenOf(publicKey)[1]);
  if (subject === undefined || keyBits === undefined) return undefined;
  return {
    x509,
    pem: formatPem('CERTIFICATE', x509.raw),
    der: x509.raw,
    subject,
    subjectKeyId: subjectKeyIdOf(rest) ?? keyIdentifier(keyBits),
    notBeforeMs: x509.validFromDate.getTime(),
    notAfterMs: x509.validToDate.getTime(),
  };
}

function openCertificate(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    // The caller knows which file or message the bytes came from and says so.
    return undefined;
  }
}

function subjectKeyIdOf(rest: readonly DerNode[]): Buffer | undefined {
  const extensions = childrenOf(childrenOf(rest.find((node) => isContext(node, 3)))[0]);
  for (const extension of extensions) {
    const parts = childrenOf(extension);
    if (oidOf(parts[0]) !== OID.subjectKeyIdentifier) continue;
    const value = decodeDer(contentOf(parts.at(-1)));
    return value === undefined ? undefined : contentOf(value);
  }
  return undefined;
}
