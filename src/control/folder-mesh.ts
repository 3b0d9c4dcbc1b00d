/**
 * The options of a mesh whose objects come from folders: flags, and what MeshConfig can change while everything runs
 * (facts l7-and-control 6.5).
 */
import type { ObjectStore } from '../manifests/object-store.ts';
import { MESH_CONFIG_MAP } from '../model/installed-names.ts';
import { objectKey } from '../model/manifest/manifest-object.ts';
import type { MeshConfigMapObject } from '../model/manifest/mesh-config-map.ts';
import { meshTelemetryNotes } from './l7/telemetry-notes.ts';
import type { MeshOptions } from './mesh-options.ts';

/** The options now. @param base the flags */
export function folderMesh(store: ObjectStore, base: MeshOptions): MeshOptions {
  const config = store.get('ConfigMap', base.rootNamespace, MESH_CONFIG_MAP);
  return config === undefined
    ? base
    : { ...base, authorizers: config.mesh.authorizers, telemetry: config.mesh.telemetry };
}

/** Gives the model what MeshConfig says from now on. @returns ends it */
export function followFolderMesh(
  store: ObjectStore,
  base: MeshOptions,
  model: { setMesh(mesh: MeshOptions): void },
): () => void {
  const own = objectKey('ConfigMap', base.rootNamespace, MESH_CONFIG_MAP);
  return store.subscribe((changes) => {
    if (changes.some(({ key }) => key === own)) model.setMesh(folderMesh(store, base));
  });
}

/** What the ConfigMap says and does not bring about. */
export function meshConfigNote({ meta, mesh }: MeshConfigMapObject, options: MeshOptions): string | undefined {
  if (meta.namespace !== options.rootNamespace) {
    return `mesh configuration is read in the root namespace, ${options.rootNamespace}, only`;
  }
  const fixed: string[] = [];
  const { trustDomain = options.trustDomain, rootNamespace = options.rootNamespace, discoverySelectors } = mesh;
  if (trustDomain !== options.trustDomain) fixed.push(`trustDomain (${options.trustDomain} holds)`);
  if (rootNamespace !== options.rootNamespace) fixed.push(`rootNamespace (${options.rootNamespace} holds)`);
  if (discoverySelectors.length > 0) fixed.push('discoverySelectors (all namespaces are read)');
  const notes = fixed.length === 0 ? [] : [`not changed by this file: ${fixed.join(', ')}`];
  notes.push(...meshTelemetryNotes(mesh.telemetry));
  return notes.length === 0 ? undefined : notes.join('; ');
}
