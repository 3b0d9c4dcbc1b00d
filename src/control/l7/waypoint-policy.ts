/** Policies for the waypoints that enforce them (facts l7-and-control 3.1, 3.3, 5.6). */
import type { AuthorizationPolicyObject } from '../../model/manifest/authorization-policy.ts';
import type { RequestAuthenticationObject } from '../../model/manifest/request-authentication.ts';
import type { TargetRef } from '../../model/manifest/target-refs.ts';
import { MESH_TARGET, waypointTarget } from '../../model/waypoint-target.ts';
import type { WaypointPolicy } from '../../proto/gen/ambit.ts';
import type { MeshOptions } from '../mesh-options.ts';

/** What waypoints enforce besides routes. */
export type TargetedPolicy = AuthorizationPolicyObject | RequestAuthenticationObject;

/**
 * The form for waypoints; undefined when the policy is for workloads. One of the root namespace without selector is for
 * waypoints too, unless `rootPolicies` says otherwise: what the mesh denies by default is not let in by having a waypoint
 * in front.
 */
export function buildWaypointPolicy(policy: TargetedPolicy, mesh: MeshOptions): WaypointPolicy | undefined {
  const { meta, targets, selector } = policy;
  const isOfRoot = meta.namespace === mesh.rootNamespace && mesh.rootPolicies === 'everywhere';
  const isMeshWide = targets === undefined && selector === undefined && isOfRoot;
  if (targets === undefined && !isMeshWide) return undefined;
  const metadata = { name: meta.name, namespace: meta.namespace, annotations: Object.fromEntries(meta.annotations) };
  const manifest = {
    apiVersion: 'security.istio.io/v1',
    kind: policy.kind,
    metadata,
    spec: policy.written,
  };
  return {
    namespace: meta.namespace,
    name: meta.name,
    kind: policy.kind,
    targets: isMeshWide ? [MESH_TARGET] : targetKeys(targets ?? [], meta.namespace, mesh),
    manifest: Buffer.from(JSON.stringify(manifest)),
  };
}

/** Whom the policy wants to be asked and nobody knows; undefined when all is well. */
export function providerNote(policy: AuthorizationPolicyObject, mesh: MeshOptions): string | undefined {
  const { action, provider } = policy;
  if (action !== 'CUSTOM' || buildWaypointPolicy(policy, mesh) === undefined) return undefined;
  if (mesh.authorizers.some(({ name }) => name === provider)) return undefined;
  return `MeshConfig has no external authorizer "${provider}": what the policy matches is refused`;
}

/** A policy reaches what is in its own namespace; only the root namespace speaks for a class. */
function targetKeys(targets: readonly TargetRef[], namespace: string, mesh: MeshOptions): string[] {
  return targets
    .filter(({ kind }) => kind !== 'GatewayClass' || namespace === mesh.rootNamespace)
    .map(({ kind, name }) => waypointTarget(kind, namespace, name));
}
