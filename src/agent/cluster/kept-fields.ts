/** What is kept of listed objects until they are read: a page of them is in memory at a time. */
import type { KubeObject } from '../../kube/kube-object.ts';
import { fieldsOf } from '../../model/manifest/field-reader.ts';

/** The fields of a Pod that `readNodePod` reads. */
export function slimPod({ metadata, spec, status }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels, annotations } = metadata;
  const { serviceAccountName, hostNetwork } = fieldsOf(spec);
  const { phase, podIP, podIPs } = fieldsOf(status);
  return {
    metadata: withoutAbsent({ name, namespace, uid, resourceVersion, labels, annotations }),
    spec: { serviceAccountName, hostNetwork },
    status: { phase, podIP, podIPs },
  };
}

/** Name and labels of a namespace, and whether it is being deleted. */
export function slimNamespace({ metadata }: KubeObject): KubeObject {
  const { name, uid, resourceVersion, labels, deletionTimestamp } = metadata;
  return { metadata: withoutAbsent({ name, uid, resourceVersion, labels, deletionTimestamp }) };
}

function withoutAbsent(metadata: { readonly [key in keyof KubeObject['metadata']]?: unknown }): KubeObject['metadata'] {
  return Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== undefined),
  ) as KubeObject['metadata'];
}
