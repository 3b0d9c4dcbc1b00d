/** The status conditions that objects should have (facts l7-and-control 5.1, 9.6). */
import type { ObjectStore } from '../manifests/object-store.ts';
import type { AuthorizationPolicyObject } from '../model/manifest/authorization-policy.ts';
import { isWaypoint, WAYPOINT_CLASSES } from '../model/manifest/gateway.ts';
import type { ManifestObject } from '../model/manifest/manifest-object.ts';
import type { TargetRef } from '../model/manifest/target-refs.ts';
import type { TargetedPolicy } from './l7/waypoint-policy.ts';
import type { MeshOptions } from './mesh-options.ts';
import { l7Attributes } from './policy-builder.ts';
import { bindWaypoint } from './waypoint-binding.ts';

export interface WantedCondition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** By type; undefined: the condition should not be there. */
export type WantedConditions = ReadonlyMap<string, WantedCondition | undefined>;

export const WAYPOINT_BOUND = 'istio.io/WaypointBound';
export const ZTUNNEL_ACCEPTED = 'ZtunnelAccepted';
export const WAYPOINT_ACCEPTED = 'WaypointAccepted';

const NOTHING: WantedConditions = new Map();

/** The conditions of an object, as far as they are ours to write. */
export function wantedConditions(store: ObjectStore, mesh: MeshOptions, object: ManifestObject): WantedConditions {
  switch (object.kind) {
    case 'Service':
    case 'ServiceEntry':
      return new Map([[WAYPOINT_BOUND, waypointBound(store, mesh, object)]]);
    case 'AuthorizationPolicy':
      return new Map([
        [ZTUNNEL_ACCEPTED, object.targets === undefined ? ztunnelAccepted(object) : undefined],
        [WAYPOINT_ACCEPTED, object.targets && waypointAccepted(store, mesh, object, object.targets)],
      ]);
    case 'RequestAuthentication':
      return new Map([[WAYPOINT_ACCEPTED, object.targets && waypointAccepted(store, mesh, object, object.targets)]]);
    default:
      return NOTHING;
  }
}

function waypointBound(
  store: ObjectStore,
  mesh: MeshOptions,
  { meta }: Extract<ManifestObject, { kind: 'Service' | 'ServiceEntry' }>,
): WantedCondition | undefined {
  const { asked, code, reason } = bindWaypoint(store, mesh, meta, meta.labels, 'service');
  if (asked === undefined || code === undefined) return undefined;
  if (code === 'WaypointAccepted') return accepted(code, `Successfully attached to waypoint ${asked}`);
  return reason === undefined ? undefined : refused(code, reason);
}

function ztunnelAccepted(policy: AuthorizationPolicyObject): WantedCondition {
  const { action } = policy;
  if (action !== 'ALLOW' && action !== 'DENY') {
    return refused(
      'UnsupportedValue',
      `ztunnel does not support the action ${action}; attach the policy to a waypoint`,
    );
  }
  const l7 = l7Attributes(policy);
  if (l7.length === 0) return accepted('Accepted', 'attached to ztunnel');
  const effect =
    action === 'ALLOW'
      ? 'rules with them are left out, so less is allowed than was written'
      : 'they are left out of rules, so more is denied than was written';
  const advice = 'attach the policy to a waypoint to have them checked';
  return refused(
    'UnsupportedValue',
    `ztunnel does not support HTTP attributes (found: ${l7.join(', ')}): ${effect}; ${advice}`,
  );
}

/** Summed over all that the policy is attached to; undefined when none of it concerns a waypoint. */
function waypointAccepted(
  store: ObjectStore,
  mesh: MeshOptions,
  policy: TargetedPolicy,
  targets: readonly TargetRef[],
): WantedCondition | undefined {
  const parts = targets
    .map((target) => targetCondition(store, mesh, policy.meta.namespace, target))
    .filter((part) => part !== undefined);
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first;
  const good = parts.filter(({ status }) => status === 'True');
  const bad = parts.filter(({ status }) => status === 'False');
  const messageOf = (some: readonly WantedCondition[]) => some.map(({ message }) => message).join('; ');
  if (bad.length === 0) return accepted('Accepted', messageOf(good));
  if (good.length === 0) return refused('Invalid', messageOf(bad));
  return accepted('PartiallyInvalid', messageOf(bad));
}

function targetCondition(
  store: ObjectStore,
  mesh: MeshOptions,
  namespace: string,
  { kind, name }: TargetRef,
): WantedCondition | undefined {
  if (kind === 'Gateway') {
    const gateway = store.get('Gateway', namespace, name);
    if (gateway === undefined) return refused('TargetNotFound', `Gateway ${namespace}/${name} does not exist`);
    return isWaypoint(gateway) ? accepted('Accepted', `bound to ${namespace}/${name}`) : undefined;
  }
  if (kind === 'GatewayClass') {
    return WAYPOINT_CLASSES.has(name) ? accepted('Accepted', `bound to GatewayClass ${name}`) : undefined;
  }
  const object = store.get(kind, namespace, name);
  if (object === undefined) return refused('TargetNotFound', `${kind} ${namespace}/${name} does not exist`);
  const { asked, code } = bindWaypoint(store, mesh, object.meta, object.meta.labels, 'service');
  return code === 'WaypointAccepted' && asked !== undefined
    ? accepted('Accepted', `bound to ${asked}`)
    : refused('AncestorNotBound', `${kind} ${namespace}/${name} is not bound to a waypoint`);
}

function accepted(reason: string, message: string): WantedCondition {
  return { status: 'True', reason, message };
}

function refused(reason: string, message: string): WantedCondition {
  return { status: 'False', reason, message };
}
