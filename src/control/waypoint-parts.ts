/** The objects of a waypoint on a cluster, as the control plane applies them (facts l7-and-control 4.2, 5.2). */
import { fail, ok, type Result } from '../base/result.ts';
import {
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  POD_DISRUPTION_BUDGETS,
  type ResourceKind,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../kube/resource-kind.ts';
import type { GatewayObject } from '../model/manifest/gateway.ts';
import { waypointAccount, waypointMeta, waypointSelector, waypointService } from '../model/waypoint-objects.ts';
import { type WaypointRuntime, waypointDeployment } from './waypoint-deployment.ts';
import { type OverlayKey, overlaid, type WaypointOverlays } from './waypoint-overlays.ts';

export interface WaypointPart {
  readonly kind: ResourceKind;
  readonly body: Readonly<Record<string, unknown>>;
  /** Where its overlays come from; undefined without one. */
  readonly overlaidBy: string | undefined;
}

/** Kinds that are made only when an overlay asks for them. */
export const OPTIONAL_KINDS = [HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS] as const;
export const WAYPOINT_KINDS = [SERVICE_ACCOUNTS, SERVICES, DEPLOYMENTS, ...OPTIONAL_KINDS] as const;

/**
 * In the order in which they are applied.
 * @param overlays the later ones win
 * @returns a failure says which ConfigMap, key and field cannot be used
 */
export function waypointParts(
  gateway: GatewayObject,
  trustDomain: string,
  runtime: WaypointRuntime,
  overlays: readonly WaypointOverlays[],
): Result<readonly WaypointPart[], string> {
  const all: readonly (readonly [ResourceKind, OverlayKey, object])[] = [
    [SERVICE_ACCOUNTS, 'serviceAccount', waypointAccount(gateway)],
    [SERVICES, 'service', waypointService(gateway)],
    [DEPLOYMENTS, 'deployment', waypointDeployment(gateway, trustDomain, runtime)],
    [HORIZONTAL_POD_AUTOSCALERS, 'horizontalPodAutoscaler', autoscaler(gateway)],
    [POD_DISRUPTION_BUDGETS, 'podDisruptionBudget', disruptionBudget(gateway)],
  ];
  const optional: ReadonlySet<ResourceKind> = new Set(OPTIONAL_KINDS);
  const parts: WaypointPart[] = [];
  for (const [kind, key, base] of all) {
    const own = overlays.filter(({ byKey }) => byKey.has(key));
    if (own.length === 0 && optional.has(kind)) continue;
    let body = { ...base } as Readonly<Record<string, unknown>>;
    for (const one of own) {
      const merged = overlaid(body, key, one);
      if (!merged.ok) return fail(merged.error);
      body = merged.value;
    }
    const last = own.at(-1);
    parts.push({ kind, body, overlaidBy: last && `${last.title}: ${key}` });
  }
  return ok(parts);
}

function autoscaler(gateway: GatewayObject): object {
  const { name } = gateway.meta;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: waypointMeta(gateway),
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, maxReplicas: 1 },
  };
}

function disruptionBudget(gateway: GatewayObject): object {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: waypointMeta(gateway),
    spec: { selector: { matchLabels: waypointSelector(gateway.meta.name) } },
  };
}
