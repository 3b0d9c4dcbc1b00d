/** ReferenceGrant (gateway.networking.k8s.io): who may refer to objects of its namespace (facts l7-and-control 4.4). */
import type { FieldReader } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';

export interface ReferenceGrantObject {
  readonly kind: 'ReferenceGrant';
  readonly meta: ObjectMeta;
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Without a name: all of the kind. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name: string | undefined }[];
}

export function readReferenceGrant(meta: ObjectMeta, root: FieldReader): ReferenceGrantObject {
  const spec = root.child('spec');
  spec.onlyKnown(['from', 'to']);
  return {
    kind: 'ReferenceGrant',
    meta,
    from: spec.children('from').map((entry) => {
      entry.onlyKnown(['group', 'kind', 'namespace']);
      const namespace = entry.required('namespace');
      return { group: entry.string('group') ?? '', kind: entry.required('kind'), namespace };
    }),
    to: spec.children('to').map((entry) => {
      entry.onlyKnown(['group', 'kind', 'name']);
      return {
        group: entry.string('group') ?? '',
        kind: entry.required('kind'),
        name: entry.string('name') || undefined,
      };
    }),
  };
}
