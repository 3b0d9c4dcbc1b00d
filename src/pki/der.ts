/**
 * DER, the binary encoding of X.509 (ITU-T X.690): the only file that touches node-forge.
 *
 * Invariants:
 * - `decodeDer` never throws and never keeps more than it was given: depth is bounded, trailing bytes are refused.
 * - Bytes that carry a signature are never re-encoded: `derElement` cuts them out of the input as they came.
 */
import type forge from 'node-forge';
import asn1Module from 'node-forge/lib/asn1.js';

// The library's other parts stay unloaded: the node proxy needs DER and nothing else.
const asn1 = asn1Module;

/** One decoded or constructed element. */
export type DerNode = forge.asn1.Asn1;

const MAX_DEPTH = 24;
const UNIVERSAL = 0x00;
const CONTEXT = 0x80;
const TAG = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  utf8: 12,
  sequence: 16,
  set: 17,
  utcTime: 23,
  generalizedTime: 24,
} as const;
/** UTCTime ends here; later dates are GeneralizedTime (RFC 5280 4.1.2.5). */
const GENERALIZED_FROM_MS = Date.UTC(2050, 0, 1);

/** Decodes exactly one element that fills `bytes`; undefined when they are no DER. */
export function decodeDer(bytes: Uint8Array): DerNode | undefined {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH };
  try {
    // The type declarations know only the older boolean form of the second parameter.
    return asn1.fromDer(Buffer.from(bytes).toString('latin1'), options as unknown as boolean);
  } catch {
    // Anything the parser objects to is "no DER" to the callers, who name the field themselves.
    return undefined;
  }
}

/** The bytes of an element. */
export function encodeDer(node: DerNode): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
}

/** The children of a constructed element, or none. */
export function childrenOf(node: DerNode | undefined): readonly DerNode[] {
  return node !== undefined && Array.isArray(node.value) ? node.value : [];
}

/** The content of a primitive element; empty for a constructed one. */
export function contentOf(node: DerNode | undefined): Buffer {
  return Buffer.from(typeof node?.value === 'string' ? node.value : '', 'latin1');
}

/** Whether the element is SEQUENCE, or the given context tag. */
export function isSequence(node: DerNode | undefined): boolean {
  return node?.tagClass === UNIVERSAL && node.type === TAG.sequence;
}

/** Whether the element carries the context-specific tag `[number]`. */
export function isContext(node: DerNode | undefined, number: number): boolean {
  return node?.tagClass === CONTEXT && node.type === number;
}

/** The dotted text of an OBJECT IDENTIFIER; empty when the element is none. */
export function oidOf(node: DerNode | undefined): string {
  if (node?.tagClass !== UNIVERSAL || node.type !== TAG.oid || typeof node.value !== 'string') return '';
  try {
    return asn1.derToOid(node.value);
  } catch {
    // A malformed identifier equals no known one.
    return '';
  }
}

/** The bytes of a BIT STRING without its count of unused bits; undefined when it is not a whole number of bytes. */
export function bitStringBytes(node: DerNode | undefined): Buffer | undefined {
  if (node?.tagClass !== UNIVERSAL || node.type !== TAG.bitString) return undefined;
  const content = contentOf(node);
  return content[0] === 0 ? content.subarray(1) : undefined;
}

/**
 * The bytes of the element that starts at `offset`, header included; undefined when the length field is malformed or
 * points past the end.
 */
export function derElement(bytes: Buffer, offset: number): Buffer | undefined {
  const end = elementEnd(bytes, offset);
  return end === undefined ? undefined : bytes.subarray(offset, end.end);
}

/** Where the content of the element at `offset` starts; undefined when the header is malformed. */
export function contentOffset(bytes: Buffer, offset: number): number | undefined {
  return elementEnd(bytes, offset)?.content;
}

function elementEnd(bytes: Buffer, offset: number): { content: number; end: number } | undefined {
  const first = bytes[offset + 1];
  if (first === undefined) return undefined;
  if (first < 0x80) return bounded(bytes, offset + 2, first);
  const lengthBytes = first & 0x7f;
  if (lengthBytes === 0 || lengthBytes > 4 || offset + 2 + lengthBytes > bytes.length) return undefined;
  return bounded(bytes, offset + 2 + lengthBytes, bytes.readUIntBE(offset + 2, lengthBytes));
}

function bounded(bytes: Buffer, content: number, length: number): { content: number; end: number } | undefined {
  const end = content + length;
  return end > bytes.length ? undefined : { content, end };
}

/** SEQUENCE of the given elements. */
export function sequence(...children: DerNode[]): DerNode {
  return asn1.create(UNIVERSAL, TAG.sequence, true, children);
}

/** SET of the given elements. */
export function set(...children: DerNode[]): DerNode {
  return asn1.create(UNIVERSAL, TAG.set, true, children);
}

/** OBJECT IDENTIFIER from dotted text. */
export function oid(dotted: string): DerNode {
  return asn1.create(UNIVERSAL, TAG.oid, false, asn1.oidToDer(dotted).getBytes());
}

/** BOOLEAN. */
export function boolean(value: boolean): DerNode {
  return asn1.create(UNIVERSAL, TAG.boolean, false, value ? '\xff' : '\x00');
}

/** NULL. */
export function nullValue(): DerNode {
  return asn1.create(UNIVERSAL, TAG.null, false, '');
}

/** A positive INTEGER from big-endian bytes. */
export function positiveInteger(bytes: Uint8Array): DerNode {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = Buffer.from(bytes.subarray(start));
  const padded = (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits;
  return primitive(TAG.integer, padded);
}

/** BIT STRING of whole bytes, or with `unusedBits` at the end. */
export function bitString(bytes: Uint8Array, unusedBits = 0): DerNode {
  return primitive(TAG.bitString, Buffer.concat([Buffer.of(unusedBits), bytes]));
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): DerNode {
  return primitive(TAG.octetString, bytes);
}

/** UTF8String. */
export function utf8String(text: string): DerNode {
  return primitive(TAG.utf8, Buffer.from(text, 'utf8'));
}

/** UTCTime, or GeneralizedTime from 2050 on; whole seconds. */
export function time(ms: number): DerNode {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const late = ms >= GENERALIZED_FROM_MS;
  return primitive(late ? TAG.generalizedTime : TAG.utcTime, Buffer.from(`${late ? digits : digits.slice(2)}Z`));
}

/** A context-specific tag with primitive content (IMPLICIT). */
export function contextPrimitive(number: number, bytes: Uint8Array): DerNode {
  return asn1.create(CONTEXT, number, false, Buffer.from(bytes).toString('latin1'));
}

/** A context-specific tag around elements (EXPLICIT, or IMPLICIT over a SEQUENCE or SET). */
export function contextConstructed(number: number, ...children: DerNode[]): DerNode {
  return asn1.create(CONTEXT, number, true, children);
}

function primitive(tag: number, bytes: Uint8Array): DerNode {
  return asn1.create(UNIVERSAL, tag, false, Buffer.from(bytes).toString('latin1'));
}
