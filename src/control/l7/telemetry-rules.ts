/** Telemetry objects for the waypoints that they concern (facts l7-and-control 6.4). */
import { isWaypoint } from '../../model/manifest/gateway.ts';
import { selectorMatches } from '../../model/manifest/object-meta.ts';
import type { TagValue, TelemetryObject, TracingObject } from '../../model/manifest/telemetry.ts';
import { waypointPodLabels } from '../../model/waypoint-objects.ts';
import { MESH_TARGET, namespaceTarget, waypointTarget } from '../../model/waypoint-target.ts';
import type { TelemetryRules, TraceTag, TracingRule } from '../../proto/gen/ambit.ts';
import type { BuildContext } from '../build-context.ts';

/** The form for waypoints; undefined when the object concerns none of them. */
export function buildTelemetryRules(context: BuildContext, telemetry: TelemetryObject): TelemetryRules | undefined {
  const targets = telemetryTargets(context, telemetry);
  if (targets.length === 0) return undefined;
  const { meta, tracing, metrics, accessLogging } = telemetry;
  return {
    namespace: meta.namespace,
    name: meta.name,
    targets: [...targets],
    createdMs: meta.createdMs ?? 0,
    tracing: tracing && buildTracing(tracing),
    metrics: metrics.map(({ metric, disabled, tags }) => ({
      metric,
      disabled,
      tags: [...tags].map(([name, value]) => ({ name, value: value ?? '' })),
    })),
    accessLogging: accessLogging.map(({ providers, disabled, filter }) => ({
      providers: [...providers],
      disabled,
      filter: filter ?? '',
    })),
  };
}

/** The whole mesh, a namespace, or single waypoints and services. */
export function telemetryTargets({ store, mesh }: BuildContext, telemetry: TelemetryObject): readonly string[] {
  const { meta, targets, selector } = telemetry;
  const isRoot = meta.namespace === mesh.rootNamespace;
  if (targets !== undefined) {
    return targets
      .filter(({ kind }) => kind !== 'GatewayClass' || isRoot)
      .map(({ kind, name }) => waypointTarget(kind, meta.namespace, name));
  }
  if (selector === undefined) return [isRoot ? MESH_TARGET : namespaceTarget(meta.namespace)];
  const waypoints = (isRoot ? [...store.all('Gateway')] : [...store.inNamespace('Gateway', meta.namespace)])
    .filter(isWaypoint)
    .filter((gateway) => selectorMatches(selector, new Map(Object.entries(waypointPodLabels(gateway)))));
  return waypoints.map((gateway) => waypointTarget('Gateway', gateway.meta.namespace, gateway.meta.name));
}

function buildTracing(tracing: TracingObject): TracingRule {
  const { provider, samplingPercent, disableReporting, customTags, useRequestId, istioTags, disablePropagation } =
    tracing;
  return {
    provider: provider ?? '',
    samplingPercent,
    disableReporting,
    hasCustomTags: customTags !== undefined,
    customTags: [...(customTags ?? [])].map(([name, value]) => buildTag(name, value)),
    useRequestId,
    istioTags,
    disablePropagation,
  };
}

function buildTag(name: string, tag: TagValue): TraceTag {
  switch (tag.kind) {
    case 'literal':
      return { name, source: { $case: 'literal', literal: tag.value } };
    case 'format':
      return { name, source: { $case: 'format', format: tag.value } };
    case 'header':
      return { name, source: { $case: 'header', header: { name: tag.name, defaultValue: tag.defaultValue } } };
    default:
      return {
        name,
        source: { $case: 'environment', environment: { name: tag.name, defaultValue: tag.defaultValue } },
      };
  }
}
