/** The ConfigMap that holds MeshConfig, where objects come from folders (facts l7-and-control 6.5). */
import { type MeshConfig, NO_MESH_CONFIG, parseMeshConfig } from '../mesh-config.ts';
import type { FieldReader } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';

export interface MeshConfigMapObject {
  readonly kind: 'ConfigMap';
  readonly meta: ObjectMeta;
  readonly mesh: MeshConfig;
}

const KEY = 'mesh';

export function readMeshConfigMap(meta: ObjectMeta, root: FieldReader): MeshConfigMapObject {
  const data = root.child('data');
  const parsed = parseMeshConfig(data.string(KEY) ?? '');
  if (!parsed.ok) data.report(KEY, parsed.error);
  return { kind: 'ConfigMap', meta, mesh: parsed.ok ? parsed.value : NO_MESH_CONFIG };
}
