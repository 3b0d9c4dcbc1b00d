/** Which pods are in the mesh (facts ztunnel-wire 4.1). */
import type { Labels } from '../model/manifest/object-meta.ts';

const MODE = 'istio.io/dataplane-mode';
const EXCLUDED_NAMESPACE = 'kube-system';

export interface EnrolmentSubject {
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly hostNetwork: boolean;
}

/** Whether the pod shall be redirected to the node's proxy. @param namespaceLabels of the pod's namespace */
export function shouldEnrol(pod: EnrolmentSubject, namespaceLabels: Labels): boolean {
  if (pod.hostNetwork || pod.namespace === EXCLUDED_NAMESPACE) return false;
  if (pod.annotations.has('sidecar.istio.io/status')) return false;
  const own = pod.labels.get(MODE);
  if (own === 'ambient') return true;
  return namespaceLabels.get(MODE) === 'ambient' && own !== 'none';
}
