/** Which policies are asked about calls of a workload or a service, and by whom. */

import { sourceOfFedPolicy } from '../model/fed-policy-name.ts';
import { writtenPolicy } from '../model/manifest/written-policy.ts';
import { policyKey } from '../model/policy.ts';
import type { Service } from '../model/service.ts';
import { MESH_TARGET } from '../model/waypoint-target.ts';
import type { Workload } from '../model/workload.ts';
import type { WaypointPolicy } from '../proto/gen/ambit.ts';
import type { PolicyHits } from '../traffic/policy-hits.ts';
import { serviceTargets } from '../waypoint/policy-targets.ts';
import type { MeshFeed } from './mesh-feed.ts';

export interface PolicyInForce {
  /** `namespace/name`; that of a PeerAuthentication is made up. */
  readonly id: string;
  readonly kind: string;
  readonly action: string;
  readonly dryRun: boolean;
  /** Who asks it: `ztunnel` for each connection to its pods, the waypoint for each request. */
  readonly where: 'ztunnel' | 'waypoint';
}

/** With how often it decided, by result, since the proxies started. */
export interface CountedPolicyInForce extends PolicyInForce {
  readonly hits: Readonly<Record<string, number>>;
}

export function withHits(policies: readonly PolicyInForce[], hits: PolicyHits): CountedPolicyInForce[] {
  return policies.map((policy) => ({ ...policy, hits: hitsOf(policy, hits) }));
}

/** Rules for tokens decide nothing that is counted: what has their name is an AuthorizationPolicy. */
function hitsOf({ id, kind }: PolicyInForce, hits: PolicyHits): Readonly<Record<string, number>> {
  return kind === 'RequestAuthentication' ? {} : Object.fromEntries(hits.get(id) ?? []);
}

export function policiesOfPods(
  feed: MeshFeed,
  pods: readonly Workload[],
  services: readonly Service[],
): PolicyInForce[] {
  const atZtunnel = pods.flatMap((pod) => feed.state.policiesFor(pod).policies);
  const found = new Map<string, PolicyInForce>();
  for (const { dryRun, action, ...policy } of atZtunnel) {
    const id = policyKey(policy);
    const { kind } = sourceOfFedPolicy(policy.name);
    found.set(`ztunnel ${id}`, { id, kind, action: action.toUpperCase(), dryRun, where: 'ztunnel' });
  }
  for (const service of services) {
    for (const policy of policiesOfService(feed, service)) found.set(`waypoint ${policy.kind} ${policy.id}`, policy);
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Those of its waypoint. */
export function policiesOfService(feed: MeshFeed, service: Service): PolicyInForce[] {
  const waypoint = feed.waypointName(service.waypoint);
  if (waypoint === undefined) return [];
  const [namespace = '', name = ''] = waypoint.split('/');
  const targets = new Set([MESH_TARGET, ...serviceTargets({ namespace, name }, service)]);
  return feed.policies.filter((policy) => policy.targets.some((target) => targets.has(target))).map(atWaypoint);
}

function atWaypoint({ kind, manifest }: WaypointPolicy): PolicyInForce {
  const { id, action, dryRun } = writtenPolicy(manifest);
  return { id, kind, action: kind === 'AuthorizationPolicy' ? action : 'TOKENS', dryRun, where: 'waypoint' };
}
