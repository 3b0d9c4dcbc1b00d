/** `/api/workload?id=NAMESPACE/NAME`: its pods, identity, services, certificates, and the policies in force for it. */
import { type Workload, workloadIdentity } from '../../model/workload.ts';
import type { HeldCertificate } from '../mesh-reader.ts';
import { type CountedPolicyInForce, policiesOfPods, withHits } from '../policies-of-pods.ts';
import { type ApiHandler, type ApiSources, askedFor, NotShown } from './api-handler.ts';

export interface PodView {
  readonly name: string;
  readonly node: string;
  readonly ip: string;
  readonly healthy: boolean;
  readonly inMesh: boolean;
  readonly revision: string;
}

export interface WorkloadView {
  readonly id: string;
  readonly pods: readonly PodView[];
  readonly identities: readonly string[];
  /** `namespace/name`. */
  readonly services: readonly string[];
  /** In front of its services, or of itself. */
  readonly waypoints: readonly string[];
  readonly certificates: readonly HeldCertificate[];
  readonly policies: readonly CountedPolicyInForce[];
}

export function workloadApi({ reader, collector }: ApiSources): ApiHandler {
  return async (viewer, query): Promise<WorkloadView> => {
    const { id } = askedFor(viewer, query, 'id');
    const [feed, certificates] = await Promise.all([reader(viewer).feed(), reader(viewer).certificates()]);
    const pods = feed.podsOf(id);
    if (pods.length === 0) throw new NotShown(`workload ${id} with pods`);
    const services = [...new Set(pods.flatMap((pod) => [...pod.services.keys()]))].flatMap((key) => {
      const service = feed.state.service(key);
      return service === undefined ? [] : [service];
    });
    const identities = [...new Set<string>(pods.map(workloadIdentity))];
    const named = [...services, ...pods].map(({ waypoint }) => feed.waypointName(waypoint));
    return {
      id,
      pods: pods.map(podView),
      identities,
      services: services.map(({ namespace, name }) => `${namespace}/${name}`),
      waypoints: [...new Set(named.filter((name) => name !== undefined))],
      certificates: certificates.filter(({ identity }) => identities.includes(identity)),
      policies: withHits(policiesOfPods(feed, pods, services), collector.policies),
    };
  };
}

export function podView(pod: Workload): PodView {
  const { name, node, addresses, status, protocol, canonicalRevision: revision } = pod;
  return { name, node, ip: addresses[0] ?? '', healthy: status === 'Healthy', inMesh: protocol === 'HBONE', revision };
}
