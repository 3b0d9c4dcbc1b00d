/** From this size on a piece is part of a bulk transfer. */
export const BULK_BYTES = 8192;

/**
 * Frees the memory of a large piece that has it for itself. Left to the garbage collector, the pieces of a bulk transfer
 * have it walk the whole heap many times a second.
 */
export function freeChunk({ buffer, length }: Buffer): void {
  if (length >= BULK_BYTES && length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** A copy that has its memory for itself. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
