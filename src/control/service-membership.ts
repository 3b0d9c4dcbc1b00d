/** Which services an endpoint belongs to, and on which of its ports they reach it. */

import { hostnameKey } from '../model/gateway-address.ts';
import type { ServicePort } from '../model/manifest/kubernetes-service.ts';
import { type Labels, selectorMatches } from '../model/manifest/object-meta.ts';
import type { PodObject } from '../model/manifest/pod.ts';
import type { ServiceEntryPort } from '../model/manifest/service-entry.ts';
import type { PortMap } from '../model/workload.ts';
import type { BuildContext } from './build-context.ts';
import { serviceHostname } from './mesh-options.ts';

/** How an endpoint names its ports. */
export interface EndpointPorts {
  /** The number for a port of a Service; undefined when the endpoint lacks it. */
  forService(port: ServicePort): number | undefined;
  /** The number for a port of a ServiceEntry. */
  forServiceEntry(port: ServiceEntryPort): number;
}

/** Port numbers of a pod: a target by name is looked up in its containers. */
export function podPorts(pod: PodObject): EndpointPorts {
  return {
    forService: ({ targetPort, protocol }) => {
      if (typeof targetPort === 'number') return targetPort;
      for (const container of pod.spec.containers) {
        for (const port of container.ports)
          if (port.name === targetPort && port.protocol === protocol) return port.port;
      }
      return undefined;
    },
    forServiceEntry: (port) => port.targetPort || port.number,
  };
}

/** Port numbers of a WorkloadEntry or inline endpoint: by the name of the service port. */
export function entryPorts(ports: ReadonlyMap<string, number>): EndpointPorts {
  return {
    forService: ({ name, targetPort }) =>
      ports.get(name) ?? (typeof targetPort === 'number' ? targetPort : ports.get(targetPort)),
    forServiceEntry: (port) => ports.get(port.name) ?? (port.targetPort || port.number),
  };
}

/** The services whose selectors match the labels, by key, in order of key. */
export function servicesOf(
  context: BuildContext,
  namespace: string,
  labels: Labels,
  endpoint: EndpointPorts,
): ReadonlyMap<string, PortMap> {
  const found: [string, PortMap][] = [];
  for (const service of context.store.inNamespace('Service', namespace)) {
    if (service.type === 'ExternalName' || service.selector === undefined) continue;
    if (!selectorMatches(service.selector, labels)) continue;
    const key = hostnameKey(namespace, serviceHostname(context.mesh, namespace, service.meta.name));
    found.push([key, portsOfService(service.ports, endpoint)]);
  }
  for (const entry of context.store.inNamespace('ServiceEntry', namespace)) {
    if (entry.workloadSelector === undefined || !selectorMatches(entry.workloadSelector, labels)) continue;
    for (const host of entry.hosts) found.push([hostnameKey(namespace, host), portsOfEntry(entry.ports, endpoint)]);
  }
  // The order of objects in the store is history; the bytes of a workload must not depend on it.
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(found);
}

/** Service ports to the endpoint's own; ports that it lacks are left out. */
export function portsOfService(ports: readonly ServicePort[], endpoint: EndpointPorts): PortMap {
  const map = new Map<number, number>();
  for (const port of ports) {
    const target = port.protocol === 'TCP' ? endpoint.forService(port) : undefined;
    if (target !== undefined) map.set(port.port, target);
  }
  return map;
}

/** ServiceEntry ports to the endpoint's own. */
export function portsOfEntry(ports: readonly ServiceEntryPort[], endpoint: EndpointPorts): PortMap {
  return new Map(ports.map((port) => [port.number, endpoint.forServiceEntry(port)]));
}
