/** VirtualService (networking.istio.io; facts l7-and-control 1). */
import { VIRTUAL_SERVICE_KIND } from '../schema/virtual-service-kind.ts';
import { readCheckedSpec } from './checked-spec.ts';
import type { FieldReader } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';
import type { VirtualServiceSpec } from './virtual-service-spec.ts';

export interface VirtualServiceObject {
  readonly kind: 'VirtualService';
  readonly meta: ObjectMeta;
  readonly spec: VirtualServiceSpec;
}

export function readVirtualService(meta: ObjectMeta, root: FieldReader): VirtualServiceObject {
  // The schema has this shape; what it refuses is never used.
  const spec = readCheckedSpec(VIRTUAL_SERVICE_KIND, root) as VirtualServiceSpec;
  return { kind: 'VirtualService', meta, spec };
}
