/** The programs of a local mesh that can be asked about themselves, and where their networks are. */
import type { EngineNode } from './engine-node.ts';
import { CONTROL_ADDRESS } from './network-plan.ts';
import type { PodRunner } from './pod-runner.ts';
import type { GatedProxy } from './proxy-gate.ts';

const SYSTEM = { namespace: 'istio-system', ready: true };

export function localProxies(nodes: readonly EngineNode[], pods: Iterable<PodRunner>): GatedProxy[] {
  const control = { ...SYSTEM, role: 'control', name: 'control', node: '', ip: CONTROL_ADDRESS } as const;
  const ztunnels = nodes.map(({ name, netns, plan }): GatedProxy => {
    return { ...SYSTEM, role: 'ztunnel', name: `ztunnel-${name}`, node: name, ip: plan.address, netns };
  });
  return [{ ...control, netns: undefined }, ...ztunnels, ...waypoints(pods)];
}

function waypoints(pods: Iterable<PodRunner>): GatedProxy[] {
  return [...pods]
    .filter(({ group, isStopping }) => group.key.startsWith('Gateway/') && !isStopping)
    .map((pod): GatedProxy => {
      const { namespace, name, node, ips, ready, pid } = pod.state();
      return { role: 'waypoint', namespace, name, node, ip: ips[0] ?? '', ready, netns: `/proc/${pid}/ns/net` };
    });
}
