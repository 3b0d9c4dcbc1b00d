/** What every builder reads: the objects in force, the mesh's options, the allocated addresses. */

import type { ObjectStore } from '../manifests/object-store.ts';
import type { DestinationRules } from './l7/destination-rules.ts';
import type { MeshOptions } from './mesh-options.ts';
import type { ServiceVips } from './service-vips.ts';

export interface BuildContext {
  readonly store: ObjectStore;
  readonly mesh: MeshOptions;
  readonly vips: ServiceVips;
  readonly destinationRules: DestinationRules;
}
