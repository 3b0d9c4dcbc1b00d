/** Prometheus text and OpenMetrics exposition of plain samples (facts ztunnel-wire 11.1). */

/** One sample: labels are already rendered, `name="value",...`, without braces. */
export interface Sample {
  readonly labels: string;
  readonly value: number;
  /** Appended to the family's name, `_bucket`, `_sum`; counters get `_total` by themselves. */
  readonly suffix?: string;
}

export interface MetricFamily {
  /** Without the `_total` of counters. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit?: string;
  /** A counter without `_total` in its name, as Istio's control plane has them. */
  readonly bareName?: true;
  readonly samples: readonly Sample[];
}

export const OPEN_METRICS_CONTENT_TYPE = 'application/openmetrics-text;version=1.0.0;charset=utf-8';
export const TEXT_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricsFormat = 'openmetrics' | 'text';

/** So many lines are rendered in one go: about a millisecond. */
const PART_LINES = 500;

/** The text of all families; empty ones are left out. */
export function renderMetrics(families: readonly MetricFamily[], format: MetricsFormat): string {
  return [...metricParts(families, format)].join('');
}

/** The same in parts, each made when it is asked for: others may work in between. */
export function* metricParts(families: readonly MetricFamily[], format: MetricsFormat): Generator<string> {
  let lines: string[] = [];
  for (const family of families) {
    if (family.samples.length === 0) continue;
    describe(lines, family, format);
    for (const sample of family.samples) {
      lines.push(renderSample(family, sample));
      if (lines.length < PART_LINES) continue;
      yield `${lines.join('\n')}\n`;
      lines = [];
    }
  }
  if (format === 'openmetrics') lines.push('# EOF');
  if (lines.length > 0) yield `${lines.join('\n')}\n`;
}

function totalSuffix({ type, bareName }: MetricFamily): string {
  return type === 'counter' && bareName !== true ? '_total' : '';
}

function renderSample(family: MetricFamily, { labels, value, suffix }: Sample): string {
  return `${family.name}${suffix ?? totalSuffix(family)}${labels === '' ? '' : `{${labels}}`} ${value}`;
}

function describe(lines: string[], family: MetricFamily, format: MetricsFormat): void {
  // OpenMetrics knows no counter without `_total`.
  const type = family.bareName === true && format === 'openmetrics' ? 'unknown' : family.type;
  // In the older format a counter's comments carry the name of its samples.
  const described = format === 'text' ? family.name + totalSuffix(family) : family.name;
  lines.push(`# HELP ${described} ${family.help}`, `# TYPE ${described} ${type}`);
  if (format === 'openmetrics' && family.unit !== undefined) lines.push(`# UNIT ${described} ${family.unit}`);
}

/** A label value with backslash, quote and line break escaped. */
export function escapeLabelValue(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
}

/** `name="value",...` in the order of the entries. */
export function renderLabels(labels: readonly (readonly [name: string, value: string])[]): string {
  return labels.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',');
}
