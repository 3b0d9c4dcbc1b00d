/** Which request metrics are counted with which labels, by the Telemetry objects that concern them (facts l7-and-control 6.4). */
import type { Logger } from '../base/logger.ts';
import type { ExpressionContext } from '../expression/attributes.ts';
import { compileExpression, type Expression } from '../expression/compile-expression.ts';
import type { MetricOverride, TelemetryRules } from '../proto/gen/ambit.ts';
import { isLabelName, type MetricView, REQUEST_METRICS, type RequestMetric } from '../telemetry/metric-view.ts';

export interface MetricsPlan {
  /** The labels of a request that is over. */
  views(context: () => ExpressionContext): readonly MetricView[];
}

interface Tag {
  readonly name: string;
  readonly expression: Expression;
}

/** Metrics with the same labels. */
interface Group {
  readonly view: MetricView;
  readonly tags: readonly Tag[];
}

interface Settings {
  disabled: boolean;
  /** By the name of the label, the expression of its value; empty: the label is removed. */
  readonly tags: Map<string, string>;
}

const ALL = 'ALL_METRICS';
const UNKNOWN = 'unknown';
/** Longer values are cut. */
const MAX_LABEL_LENGTH = 256;

/** @param rules from the mesh down to the service. @returns undefined: every metric has the labels that it has by itself */
export function resolveMetrics(rules: readonly TelemetryRules[], logger: Logger): MetricsPlan | undefined {
  const overrides = rules.flatMap(({ metrics }) => metrics);
  if (overrides.length === 0) return undefined;
  const byLabels = new Map<
    string,
    { readonly metrics: Set<RequestMetric>; readonly tags: ReadonlyMap<string, string> }
  >();
  for (const metric of REQUEST_METRICS) {
    const { disabled, tags } = settingsOf(metric, overrides);
    if (disabled) continue;
    const key = JSON.stringify([...tags].sort());
    const group = byLabels.get(key);
    if (group === undefined) byLabels.set(key, { metrics: new Set([metric]), tags });
    else group.metrics.add(metric);
  }
  const groups = [...byLabels].map(([key, { metrics, tags }]) => groupOf(key, metrics, tags, logger));
  return {
    views: (context) => {
      const needed = groups.some(({ tags }) => tags.length > 0) ? context() : undefined;
      return groups.map(({ view, tags }) => (needed === undefined ? view : { ...view, added: valuesOf(tags, needed) }));
    },
  };
}

/** A later override holds in place of an earlier one, label by label. */
function settingsOf(metric: RequestMetric, overrides: readonly MetricOverride[]): Settings {
  const settings: Settings = { disabled: false, tags: new Map() };
  for (const override of overrides) {
    if (override.metric !== ALL && override.metric !== metric) continue;
    settings.disabled = override.disabled ?? settings.disabled;
    for (const { name, value } of override.tags) settings.tags.set(name, value);
  }
  return settings;
}

function groupOf(
  key: string,
  metrics: ReadonlySet<RequestMetric>,
  labels: ReadonlyMap<string, string>,
  logger: Logger,
): Group {
  const removed = new Set([...labels].filter(([, value]) => value === '').map(([name]) => name));
  const tags: Tag[] = [];
  for (const [name, value] of labels) {
    if (value === '') continue;
    const compiled = compileExpression(value);
    if (compiled.ok && isLabelName(name)) tags.push({ name, expression: compiled.value });
    else
      logger.warn('a label of metrics is left out', { label: name, reason: compiled.ok ? 'its name' : compiled.error });
  }
  return { view: { id: `${[...metrics].join()} ${key}`, metrics, removed, added: [] }, tags };
}

function valuesOf(tags: readonly Tag[], context: ExpressionContext): readonly (readonly [string, string])[] {
  return tags.map(({ name, expression }) => {
    const value = expression.evaluate(context);
    return [name, value === undefined || value === '' ? UNKNOWN : String(value).slice(0, MAX_LABEL_LENGTH)];
  });
}
