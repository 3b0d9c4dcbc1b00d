/** The definitions of the custom kinds that the mesh reads. */
import type { RenderedObject } from './render-install.ts';

/** CRDs in the order of their names. */
export function installationCrds(): readonly RenderedObject[] {
  return [];
}
