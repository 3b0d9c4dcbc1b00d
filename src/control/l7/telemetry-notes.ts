/** What of a Telemetry object has no effect at waypoints, for its author (facts l7-and-control 6.4, 8.1). */
import { compileCondition, compileExpression } from '../../expression/compile-expression.ts';
import { compileFormat } from '../../format/compile-format.ts';
import { isHarmlessVariable } from '../../model/harmless-variables.ts';
import type {
  AccessLogObject,
  MetricOverrideObject,
  TelemetryObject,
  TracingObject,
} from '../../model/manifest/telemetry.ts';
import type { MeshTelemetryConfig, TelemetryProviderConfig } from '../../model/telemetry-config.ts';
import { isLabelName, REQUEST_METRICS } from '../../telemetry/metric-view.ts';
import type { BuildContext } from '../build-context.ts';
import { telemetryTargets } from './telemetry-rules.ts';

/** Those of requests; connections that are not HTTP are counted as they are. */
const METRICS: ReadonlySet<string> = new Set(['ALL_METRICS', ...REQUEST_METRICS]);
const TRACERS = ['zipkin', 'otlp-traces'] as const;
const LOGGERS = ['file-log', 'otlp-log'] as const;

/** Undefined when all is well. */
export function telemetryNote(context: BuildContext, telemetry: TelemetryObject): string | undefined {
  const config = context.mesh.telemetry;
  const notes = [
    ...reachNotes(context, telemetry),
    ...telemetry.clientOnly.map((field) => `spec.${field}: an entry for clients alone has no effect at waypoints`),
    ...(telemetry.tracing === undefined ? [] : tracingNotes(telemetry.tracing, config)),
    ...telemetry.metrics.flatMap((override) => [...metricNotes(override)]),
    ...telemetry.accessLogging.flatMap((logging, index) => [...loggingNotes(logging, index, config)]),
  ];
  return notes.length === 0 ? undefined : notes.join('; ');
}

/** What MeshConfig says of telemetry and waypoints cannot do. */
export function* meshTelemetryNotes(config: MeshTelemetryConfig): Iterable<string> {
  const { defaultTracing, defaultAccessLogging } = config;
  const tracing = defaultTracing === '' ? undefined : providerNote(defaultTracing, config, TRACERS);
  if (tracing !== undefined) yield `defaultProviders.tracing: ${tracing}: nothing is traced`;
  for (const name of defaultAccessLogging) {
    const logging = providerNote(name, config, LOGGERS);
    if (logging !== undefined) yield `defaultProviders.accessLogging: ${logging}: nothing is logged there`;
  }
}

function* reachNotes(context: BuildContext, telemetry: TelemetryObject): Iterable<string> {
  const { meta, selector, targets } = telemetry;
  if (telemetryTargets(context, telemetry).length === 0) {
    yield 'it concerns no waypoint, and nobody else reads it';
    return;
  }
  if (selector !== undefined || targets !== undefined) return;
  for (const other of context.store.inNamespace('Telemetry', meta.namespace)) {
    if (other.meta.name === meta.name || other.selector !== undefined || other.targets !== undefined) continue;
    if (isOlder(other, telemetry)) yield `Telemetry ${other.meta.name} is for the whole namespace too, and older`;
  }
}

/** Of two for the same, the older counts; without times the first by name. */
function isOlder({ meta: a }: TelemetryObject, { meta: b }: TelemetryObject): boolean {
  const difference = (a.createdMs ?? 0) - (b.createdMs ?? 0);
  return difference === 0 ? a.name < b.name : difference < 0;
}

function* tracingNotes({ provider, customTags }: TracingObject, config: MeshTelemetryConfig): Iterable<string> {
  const field = 'spec.tracing[0]';
  if (provider !== undefined) {
    const note = providerNote(provider, config, TRACERS);
    if (note !== undefined) yield `${field}.providers: ${note}: nothing is traced`;
  }
  for (const [name, tag] of customTags ?? []) {
    const at = `${field}.customTags.${name}`;
    if (tag.kind === 'environment' && !isHarmlessVariable(tag.name)) {
      yield `${at}: the environment of a waypoint may hold secrets: the default value stands for ${tag.name}`;
    }
    if (tag.kind !== 'format') continue;
    const format = compileFormat(tag.value);
    if (!format.ok) yield `${at}.formatter.value ${format.error.reason}: the tag is left out`;
  }
}

function* metricNotes({ metric, tags }: MetricOverrideObject): Iterable<string> {
  if (!METRICS.has(metric)) yield `spec.metrics: overrides of ${metric} have no effect at waypoints`;
  for (const [name, value] of tags) {
    const at = `spec.metrics: tagOverrides.${name}`;
    if (!isLabelName(name)) yield `${at} cannot be the name of a label`;
    const compiled = value === undefined ? undefined : compileExpression(value);
    if (compiled?.ok === false) yield `${at}.value ${compiled.error}: the label is left as it is`;
  }
}

function* loggingNotes(
  { providers, filter }: AccessLogObject,
  index: number,
  config: MeshTelemetryConfig,
): Iterable<string> {
  for (const name of providers) {
    const note = providerNote(name, config, LOGGERS);
    if (note !== undefined) yield `spec.accessLogging[${index}].providers: ${note}: nothing is logged there`;
  }
  const condition = filter === undefined ? undefined : compileCondition(filter);
  if (condition?.ok === false) {
    yield `spec.accessLogging[${index}].filter.expression ${condition.error}: all requests are logged`;
  }
}

function providerNote(
  name: string,
  { providers }: MeshTelemetryConfig,
  kinds: readonly TelemetryProviderConfig['kind'][],
): string | undefined {
  const provider = providers.find((candidate) => candidate.name === name);
  if (provider === undefined) return `MeshConfig has no extension provider "${name}"`;
  if (kinds.includes(provider.kind)) return undefined;
  const kind = provider.kind === 'other' ? `of kind ${provider.field}` : 'of another kind';
  return `extension provider "${name}" is ${kind}, which waypoints do not use here`;
}
