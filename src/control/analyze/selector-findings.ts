/** Selectors that choose nothing, or what they cannot be for. */
import type { ObjectStore } from '../../manifests/object-store.ts';
import { keyOf } from '../../model/manifest/manifest-object.ts';
import { type Labels, selectorMatches } from '../../model/manifest/object-meta.ts';
import type { PodObject } from '../../model/manifest/pod.ts';
import { GATEWAY_NAME_LABEL } from '../../model/waypoint-objects.ts';
import type { Finding } from './finding.ts';

/** @param rootNamespace whose policies are for all namespaces */
export function selectorFindings(store: ObjectStore, rootNamespace: string): Finding[] {
  const policies = [
    ...store.all('AuthorizationPolicy'),
    ...store.all('PeerAuthentication'),
    ...store.all('RequestAuthentication'),
  ];
  return policies.flatMap((policy): Finding[] => {
    const { selector, meta } = policy;
    if (selector === undefined || selector.size === 0) return [];
    const pods = podsIn(store, meta.namespace === rootNamespace ? undefined : meta.namespace);
    const chosen = pods.filter((pod) => selectorMatches(selector, pod.meta.labels));
    const key = keyOf(policy);
    if (chosen.length === 0) {
      const message = `its selector chooses no pod: ${labelsText(selector)}`;
      return [{ code: 'IST0127', level: 'Warning' as const, key, message }];
    }
    if (!chosen.every((pod) => pod.meta.labels.has(GATEWAY_NAME_LABEL))) return [];
    const message = 'its selector chooses pods of a waypoint, which takes policies by targetRefs only';
    return [{ code: 'IST0166', level: 'Warning' as const, key, message }];
  });
}

function podsIn(store: ObjectStore, namespace: string | undefined): PodObject[] {
  return [...(namespace === undefined ? store.all('Pod') : store.inNamespace('Pod', namespace))];
}

/** `app=web,version=v1`. */
export function labelsText(labels: Labels): string {
  return [...labels].map(([name, value]) => `${name}=${value}`).join(',');
}
