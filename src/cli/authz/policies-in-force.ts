/** The policies that the control plane feeds, and at which proxies each of them decides. */

import type { MeshState, PolicyInForce } from '../../mesh/mesh-state.ts';
import { STATIC_STRICT_NAME, sourceOfFedPolicy } from '../../model/fed-policy-name.ts';
import { writtenPolicy } from '../../model/manifest/written-policy.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { policyKey } from '../../model/policy.ts';
import { MESH_TARGET } from '../../model/waypoint-target.ts';
import { isBoundTo } from '../../waypoint/connect-target.ts';
import { gatewayTargets, serviceTargets } from '../../waypoint/policy-targets.ts';
import type { MeshModel } from '../explain/mesh-model.ts';

export interface EnforcedPolicy {
  /** `namespace/name`. */
  readonly policy: string;
  readonly action: string;
  readonly dryRun: boolean;
  /** For people. */
  readonly appliesTo: string;
  /** Whether it says something about a whole mesh. */
  readonly isMeshWide: boolean;
  /** Names of proxies, `namespace/name`. */
  readonly enforcedBy: readonly string[];
  /** Why nobody enforces it; empty when somebody does. */
  readonly note: string;
}

/** One entry for each policy, in order of name. */
export function policiesInForce(model: MeshModel, proxies: readonly MeshProxy[]): readonly EnforcedPolicy[] {
  const merged = new Map<string, EnforcedPolicy>();
  for (const one of [...policiesOfNodes(model.state, proxies), ...policiesOfWaypoints(model, proxies)]) {
    const before = merged.get(one.policy);
    merged.set(one.policy, before === undefined ? one : both(before, one));
  }
  return [...merged.values()].sort((a, b) => (a.policy < b.policy ? -1 : 1));
}

/** A policy of the root namespace is asked at nodes and at waypoints. */
function both(atNodes: EnforcedPolicy, atWaypoints: EnforcedPolicy): EnforcedPolicy {
  const enforcedBy = [...atNodes.enforcedBy, ...atWaypoints.enforcedBy];
  return { ...atNodes, enforcedBy, note: enforcedBy.length === 0 ? atNodes.note : '' };
}

function policiesOfNodes(state: MeshState, proxies: readonly MeshProxy[]): EnforcedPolicy[] {
  const waypoints = new Set(proxies.filter(({ role }) => role === 'waypoint').map(proxyName));
  // At a waypoint's own pod no ztunnel is asked.
  const served = [...state.workloads()].filter(
    (workload) => workload.protocol === 'HBONE' && !waypoints.has(proxyName(workload)),
  );
  const nodesOf = new Map<string, Set<string>>();
  for (const workload of served) {
    for (const policy of state.policiesFor(workload).policies) {
      const key = policyKey(policy);
      nodesOf.set(key, (nodesOf.get(key) ?? new Set()).add(workload.node));
    }
  }
  const ztunnels = proxies.filter(({ role }) => role === 'ztunnel');
  return [...state.policies()].map((policy) => {
    const nodes = nodesOf.get(policyKey(policy)) ?? new Set();
    const enforcedBy = ztunnels.filter(({ node }) => nodes.has(node)).map(proxyName);
    return {
      policy: policyKey(policy),
      action: policy.action.toUpperCase(),
      dryRun: policy.dryRun,
      appliesTo: scopeText(policy),
      isMeshWide: policy.scope === 'Global' || policy.name === STATIC_STRICT_NAME,
      enforcedBy,
      note: enforcedBy.length === 0 ? 'no workload of the mesh is selected by it' : '',
    };
  });
}

function scopeText({ scope, namespace, name }: PolicyInForce): string {
  const source = sourceOfFedPolicy(name);
  if (source.kind === 'PeerAuthentication') return `${source.kind} ${source.name || 'STRICT'}`;
  if (scope === 'Global') return 'mesh';
  return scope === 'Namespace' ? `namespace ${namespace}` : 'selected workloads';
}

function policiesOfWaypoints(model: MeshModel, proxies: readonly MeshProxy[]): EnforcedPolicy[] {
  const waypoints = proxies
    .filter(({ role }) => role === 'waypoint')
    .map((proxy) => ({ name: proxyName(proxy), targets: targetsAt(model.state, proxy) }));
  return [...model.waypointIn('').policies.held()].flatMap(({ targets, manifest }) => {
    const { kind, id, action, dryRun } = writtenPolicy(manifest);
    if (kind !== 'AuthorizationPolicy') return [];
    const enforcedBy = waypoints
      .filter((one) => targets.some((target) => one.targets.has(target)))
      .map((one) => one.name);
    return [
      {
        policy: id,
        action,
        dryRun,
        appliesTo: targets.map(targetText).join(', ') || 'nothing',
        isMeshWide: targets.some((target) => target === MESH_TARGET || target.startsWith('GatewayClass/')),
        enforcedBy,
        note: enforcedBy.length === 0 ? 'no waypoint serves what it is attached to' : '',
      },
    ];
  });
}

/** What policies have to be attached to, to be asked at a waypoint. */
function targetsAt(state: MeshState, { namespace, name }: MeshProxy): ReadonlySet<string> {
  const self = state.workloadsByName(namespace, name)[0];
  if (self === undefined) return new Set();
  const gateway = { namespace, name: self.serviceAccount };
  const services = [...state.services()].filter((service) => isBoundTo(state, self, service));
  return new Set([MESH_TARGET, ...gatewayTargets(gateway), ...services.flatMap((one) => serviceTargets(gateway, one))]);
}

function targetText(target: string): string {
  if (target === MESH_TARGET) return 'mesh';
  const [kind = '', namespace = '', name] = target.split('/');
  return name === undefined ? `${kind} ${namespace}` : `${kind} ${name}`;
}
