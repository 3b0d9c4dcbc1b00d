/** The resources for waypoints that come with an object: policies, routes, traffic policies, labels of endpoints. */
import type { ExternalAuthorizer } from '../../model/extension-provider.ts';
import type { Labels } from '../../model/manifest/object-meta.ts';
import type { TelemetryObject } from '../../model/manifest/telemetry.ts';
import { type Service, serviceKey } from '../../model/service.ts';
import {
  AUTHORIZATION_PROVIDER_TYPE,
  MESH_TELEMETRY_TYPE,
  SERVICE_ROUTES_TYPE,
  TELEMETRY_RULES_TYPE,
  TRAFFIC_POLICIES_TYPE,
  trafficPoliciesName,
  WAYPOINT_POLICY_TYPE,
  type WaypointType,
  WORKLOAD_LABELS_TYPE,
} from '../../model/waypoint-feed.ts';
import type { Workload } from '../../model/workload.ts';
import {
  AuthorizationProvider,
  MeshTelemetry,
  ServiceRoutes,
  TelemetryRules,
  TrafficPolicies,
  WaypointPolicy,
  WorkloadLabels,
} from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';
import type { MeshOptions } from '../mesh-options.ts';
import { buildAuthorizationProvider } from './authorization-provider.ts';
import { buildMeshTelemetry } from './mesh-telemetry.ts';
import { buildServiceRoutes } from './service-routes.ts';
import { buildTelemetryRules } from './telemetry-rules.ts';
import { buildTrafficPolicies } from './traffic-policies.ts';
import { buildWaypointPolicy, type TargetedPolicy } from './waypoint-policy.ts';
import { buildWorkloadLabels } from './workload-labels.ts';

export interface WaypointResource {
  readonly typeUrl: WaypointType;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function policyResources(object: TargetedPolicy, mesh: MeshOptions): WaypointResource[] {
  const policy = buildWaypointPolicy(object, mesh);
  if (policy === undefined) return [];
  const name = `${policy.kind}/${policy.namespace}/${policy.name}`;
  return [{ typeUrl: WAYPOINT_POLICY_TYPE, name, bytes: WaypointPolicy.encode(policy).finish() }];
}

/** @param grpcWebPorts of the service */
export function serviceResources(
  context: BuildContext,
  service: Service,
  grpcWebPorts: readonly number[],
): WaypointResource[] {
  const routes = buildServiceRoutes(context, service, grpcWebPorts);
  const resources: WaypointResource[] = buildTrafficPolicies(context, service).map((policies) => ({
    typeUrl: TRAFFIC_POLICIES_TYPE,
    name: trafficPoliciesName(policies.clientNamespace, service.namespace, service.hostname),
    bytes: TrafficPolicies.encode(policies).finish(),
  }));
  if (routes !== undefined) {
    const bytes = ServiceRoutes.encode(routes).finish();
    resources.push({ typeUrl: SERVICE_ROUTES_TYPE, name: serviceKey(service), bytes });
  }
  return resources;
}

export function workloadResources(context: BuildContext, workload: Workload, labels: Labels): WaypointResource[] {
  const wanted = buildWorkloadLabels(context, workload, labels);
  if (wanted === undefined) return [];
  return [{ typeUrl: WORKLOAD_LABELS_TYPE, name: workload.uid, bytes: WorkloadLabels.encode(wanted).finish() }];
}

export function telemetryResources(context: BuildContext, telemetry: TelemetryObject): WaypointResource[] {
  const rules = buildTelemetryRules(context, telemetry);
  if (rules === undefined) return [];
  const name = `${rules.namespace}/${rules.name}`;
  return [{ typeUrl: TELEMETRY_RULES_TYPE, name, bytes: TelemetryRules.encode(rules).finish() }];
}

/** Those that come with the options of the mesh. */
export function meshResources({ authorizers, telemetry }: MeshOptions): WaypointResource[] {
  const bytes = MeshTelemetry.encode(buildMeshTelemetry(telemetry)).finish();
  return [{ typeUrl: MESH_TELEMETRY_TYPE, name: 'mesh', bytes }, ...providerResources(authorizers)];
}

function providerResources(authorizers: readonly ExternalAuthorizer[]): WaypointResource[] {
  return authorizers.map((authorizer) => ({
    typeUrl: AUTHORIZATION_PROVIDER_TYPE,
    name: authorizer.name,
    bytes: AuthorizationProvider.encode(buildAuthorizationProvider(authorizer)).finish(),
  }));
}
