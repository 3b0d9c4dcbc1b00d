/**
 * Virtual endpoints for UDP. The feed of a mesh is about TCP only, so these come from the manifests: ports and selectors
 * of Services, and the pods that run; the virtual addresses are those that the control plane chose.
 */
import { type IpAddress, isV4, parseIpAddress } from '../model/address.ts';
import type { ServiceObject, ServicePort } from '../model/manifest/kubernetes-service.ts';
import { selectorMatches } from '../model/manifest/object-meta.ts';
import type { PodStatusView } from './pod-manifest.ts';
import type { VipTarget, VirtualEndpoint } from './service-view.ts';

/** @param vipsOf virtual addresses of a service by its host name */
export function udpEndpoints(
  services: Iterable<ServiceObject>,
  pods: readonly PodStatusView[],
  vipsOf: (hostname: string) => readonly IpAddress[],
): VirtualEndpoint[] {
  const endpoints: VirtualEndpoint[] = [];
  for (const service of services) {
    const ports = service.ports.filter(({ protocol }) => protocol === 'UDP');
    const { selector } = service;
    if (ports.length === 0 || selector === undefined) continue;
    const { name, namespace } = service.meta;
    const members = pods.filter(
      ({ group, ready }) => ready && group.namespace === namespace && selectorMatches(selector, group.labels),
    );
    for (const vip of vipsOf(`${name}.${namespace}.svc.cluster.local`)) {
      for (const port of ports) {
        endpoints.push({ protocol: 'udp', vip, port: port.port, targets: targetsOf(port, vip, members) });
      }
    }
  }
  return endpoints;
}

function targetsOf(port: ServicePort, vip: IpAddress, members: readonly PodStatusView[]): VipTarget[] {
  return members.flatMap((pod) => {
    const number = targetPort(port, pod);
    const address = pod.podIps.map(parseIpAddress).find((ip) => ip !== undefined && isV4(ip) === isV4(vip));
    return address === undefined || number === 0 ? [] : [{ address, port: number }];
  });
}

function targetPort({ targetPort: target, protocol }: ServicePort, { group }: PodStatusView): number {
  if (typeof target === 'number') return target;
  const ports = group.spec.containers.flatMap((container) => container.ports);
  return ports.find((port) => port.name === target && port.protocol === protocol)?.port ?? 0;
}
