/** How requests are traced, by MeshConfig and the Telemetry objects that concern them (facts l7-and-control 6.4, 8.1, 8.2). */
import type { Logger } from '../base/logger.ts';
import { compileFormat } from '../format/compile-format.ts';
import { isHarmlessVariable } from '../model/harmless-variables.ts';
import type { MeshTelemetry, TelemetryProvider, TelemetryRules, TraceTag, TracingRule } from '../proto/gen/ambit.ts';
import type { SpanReporters } from './reporting/span-reporters.ts';
import type { CustomTag, TracingPlan } from './request-tracer.ts';

export interface TracingResolverDeps {
  readonly logger: Logger;
  readonly reporters: SpanReporters;
  /** What of the waypoint's environment anybody may read. */
  readonly variables: ReadonlyMap<string, string>;
}

const PERCENT = 100;
const NOTHING: TracingRule = { provider: '', hasCustomTags: false, customTags: [] };

/** @param rules from the mesh down to the service. @returns undefined where nothing is traced */
export function resolveTracing(
  mesh: MeshTelemetry,
  rules: readonly TelemetryRules[],
  deps: TracingResolverDeps,
): TracingPlan | undefined {
  if (mesh.tracingOff) return undefined;
  const rule = rules.reduce((above, { tracing }) => (tracing === undefined ? above : merged(above, tracing)), NOTHING);
  const name = rule.provider || mesh.defaultTracing;
  if (name === '') return undefined;
  const provider = mesh.providers.find((candidate) => candidate.name === name);
  const report = provider && deps.reporters.of(provider);
  if (provider === undefined || report === undefined) {
    deps.logger.warn('nothing is traced: MeshConfig has no such extension provider for traces', { provider: name });
    return undefined;
  }
  return {
    ...formatOf(provider),
    samplingShare: (rule.samplingPercent ?? mesh.samplingPercent) / PERCENT,
    useRequestId: rule.useRequestId ?? true,
    propagates: rule.disablePropagation !== true,
    istioTags: rule.istioTags ?? true,
    maxTagLength: tagLength(provider) || mesh.maxTagLength,
    customTags: rule.customTags.map((tag) => compileTag(tag, deps.variables)).filter((tag) => tag !== undefined),
    report: rule.disableReporting === true ? undefined : report,
  };
}

/** What is not said is that of the object above; tags replace one another as a whole. */
function merged(above: TracingRule, own: TracingRule): TracingRule {
  return {
    provider: own.provider || above.provider,
    samplingPercent: own.samplingPercent ?? above.samplingPercent,
    disableReporting: own.disableReporting ?? above.disableReporting,
    hasCustomTags: own.hasCustomTags || above.hasCustomTags,
    customTags: own.hasCustomTags ? own.customTags : above.customTags,
    useRequestId: own.useRequestId ?? above.useRequestId,
    istioTags: own.istioTags ?? above.istioTags,
    disablePropagation: own.disablePropagation ?? above.disablePropagation,
  };
}

function formatOf({ kind }: TelemetryProvider): Pick<TracingPlan, 'formats' | 'shortTraceIds'> {
  if (kind?.$case !== 'zipkin') return { formats: { w3c: true, b3: false }, shortTraceIds: false };
  return { formats: { w3c: kind.zipkin.alsoW3c, b3: true }, shortTraceIds: kind.zipkin.shortTraceIds };
}

function tagLength({ kind }: TelemetryProvider): number {
  if (kind?.$case === 'zipkin') return kind.zipkin.maxTagLength;
  return kind?.$case === 'otlpTraces' ? kind.otlpTraces.maxTagLength : 0;
}

function compileTag({ name, source }: TraceTag, variables: ReadonlyMap<string, string>): CustomTag | undefined {
  switch (source?.$case) {
    case 'literal':
      return { name, kind: 'text', text: source.literal };
    case 'header':
      return { name, kind: 'header', header: source.header.name, defaultValue: source.header.defaultValue };
    case 'environment': {
      const { name: variable, defaultValue } = source.environment;
      const text = isHarmlessVariable(variable) ? variables.get(variable) : undefined;
      return { name, kind: 'text', text: text ?? defaultValue };
    }
    case 'format': {
      const format = compileFormat(source.format);
      return format.ok ? { name, kind: 'format', format: format.value } : undefined;
    }
    default:
      return undefined;
  }
}
