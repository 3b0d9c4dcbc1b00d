/** Labels of workloads, with those that say where they are (facts l7-and-control 2.2, failoverPriority). */
import type { Workload } from '../model/workload.ts';

/** @param fed what the control plane says of the workload's own labels */
export function workloadLabel(workload: Workload, name: string, fed: ReadonlyMap<string, string>): string | undefined {
  switch (name) {
    case 'topology.istio.io/network':
      return workload.network;
    case 'topology.istio.io/cluster':
      return workload.clusterId;
    case 'topology.kubernetes.io/region':
      return workload.locality.region;
    case 'topology.kubernetes.io/zone':
      return workload.locality.zone;
    case 'topology.istio.io/subzone':
      return workload.locality.subzone;
    case 'kubernetes.io/hostname':
      return workload.node;
    default:
      return fed.get(name);
  }
}
