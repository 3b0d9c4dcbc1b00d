/** PEM, the text armour of certificates and keys (RFC 7468). */

/** One armoured block. */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([\sA-Za-z0-9+/=]*)-----END \1-----/g;
const LINE_LENGTH = 64;

/** Every well-formed block of the text, in order; text around blocks is ignored. */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = ''] of text.matchAll(BLOCK)) {
    const der = Buffer.from(body.replace(/\s+/g, ''), 'base64');
    if (der.length > 0) blocks.push({ label, der });
  }
  return blocks;
}

/** Armours DER under a label such as `CERTIFICATE`; ends with a newline. */
export function formatPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines: string[] = [];
  for (let start = 0; start < base64.length; start += LINE_LENGTH) lines.push(base64.slice(start, start + LINE_LENGTH));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The certificates of a bundle, each as PEM text of its own, in order. */
export function splitCertificates(text: string): string[] {
  return parsePem(text)
    .filter((block) => block.label === 'CERTIFICATE')
    .map((block) => formatPem('CERTIFICATE', block.der));
}
