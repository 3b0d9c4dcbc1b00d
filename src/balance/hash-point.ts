/** The point of a request among hashes. */
import type { PickContext } from './balancer.ts';

/** Of its key; of a request without one, any point. */
export function hashPoint({ hash, random }: PickContext): bigint {
  if (hash !== undefined) return hash;
  return (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
}
