/** What the control plane feeds to waypoints besides addresses: type URLs and names of resources (proto/ambit.proto). */

const PREFIX = 'type.googleapis.com/ambit.';

export const WAYPOINT_POLICY_TYPE = `${PREFIX}WaypointPolicy`;
/** Named `<namespace>/<hostname>`, as services are. */
export const SERVICE_ROUTES_TYPE = `${PREFIX}ServiceRoutes`;
/** Named by `trafficPoliciesName`. */
export const TRAFFIC_POLICIES_TYPE = `${PREFIX}TrafficPolicies`;
/** Named by the workload's uid. */
export const WORKLOAD_LABELS_TYPE = `${PREFIX}WorkloadLabels`;

/** Named as in MeshConfig. */
export const AUTHORIZATION_PROVIDER_TYPE = `${PREFIX}AuthorizationProvider`;

/** One resource, named `mesh`. */
export const MESH_TELEMETRY_TYPE = `${PREFIX}MeshTelemetry`;
/** Named `<namespace>/<name>` of the object. */
export const TELEMETRY_RULES_TYPE = `${PREFIX}TelemetryRules`;

/** Named by `credentialName`. Not for everybody: each stream gets those of its own namespace. */
export const CREDENTIAL_TYPE = `${PREFIX}Credential`;

/** All but credentials, what is referred to before what refers to it. */
export const WAYPOINT_TYPES = [
  AUTHORIZATION_PROVIDER_TYPE,
  MESH_TELEMETRY_TYPE,
  TELEMETRY_RULES_TYPE,
  WAYPOINT_POLICY_TYPE,
  WORKLOAD_LABELS_TYPE,
  TRAFFIC_POLICIES_TYPE,
  SERVICE_ROUTES_TYPE,
] as const;

export type WaypointType = (typeof WAYPOINT_TYPES)[number];

/** @param clientNamespace where the waypoints are that it is for; empty for all that have nothing of their own */
export function trafficPoliciesName(clientNamespace: string, namespace: string, hostname: string): string {
  return `${clientNamespace}|${namespace}/${hostname}`;
}

/**
 * The credential that a rule means: one of a namespace other than the rule's has the rule's in its name, so that nobody's
 * rule is taken for another's.
 * @param shows whether the waypoint shows a certificate of its own
 */
export function credentialName(shows: boolean, ruleNamespace: string, secret: string): string {
  return `${shows ? 'mutual' : 'simple'}/${ruleNamespace}/${secret}`;
}
