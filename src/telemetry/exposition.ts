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

/** A family that is about to be shown: its samples may be made while they are read. */
export type ScrapedFamily = Omit<MetricFamily, 'samples'> & { readonly samples: Iterable<Sample> };

export const OPEN_METRICS_CONTENT_TYPE = 'application/openmetrics-text;version=1.0.0;charset=utf-8';
export const TEXT_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricsFormat = 'openmetrics' | 'text';

/** A part is about so long: some tenths of a millisecond of work. */
const PART_BYTES = 128 * 1024;
/** One unit of a text takes no more in UTF-8. */
const UNIT_BYTES = 3;

/** The text of all families; empty ones are left out. */
export function renderMetrics(families: readonly ScrapedFamily[], format: MetricsFormat): string {
  return Buffer.concat([...metricParts(families, format)]).toString('utf8');
}

/** The same in parts of whole lines, each made when it is asked for: others may work in between. */
export function* metricParts(families: readonly ScrapedFamily[], format: MetricsFormat): Generator<Buffer> {
  let part = Buffer.allocUnsafeSlow(PART_BYTES);
  let bytes = 0;
  // Line by line into its bytes: a part as one text would be copied twice more.
  for (const line of metricLines(families, format)) {
    const needed = line.length * UNIT_BYTES;
    if (bytes + needed > part.length) {
      if (bytes > 0) yield part.subarray(0, bytes);
      part = Buffer.allocUnsafeSlow(Math.max(PART_BYTES, needed));
      bytes = 0;
    }
    bytes += part.write(line, bytes);
  }
  if (bytes > 0) yield part.subarray(0, bytes);
}

function* metricLines(families: readonly ScrapedFamily[], format: MetricsFormat): Generator<string> {
  for (const family of families) {
    let isDescribed = false;
    for (const sample of family.samples) {
      if (!isDescribed) yield description(family, format);
      isDescribed = true;
      yield renderSample(family, sample);
    }
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

function totalSuffix({ type, bareName }: ScrapedFamily): string {
  return type === 'counter' && bareName !== true ? '_total' : '';
}

function renderSample(family: ScrapedFamily, { labels, value, suffix }: Sample): string {
  return `${family.name}${suffix ?? totalSuffix(family)}${labels === '' ? '' : `{${labels}}`} ${value}\n`;
}

function description(family: ScrapedFamily, format: MetricsFormat): string {
  // OpenMetrics knows no counter without `_total`.
  const type = family.bareName === true && format === 'openmetrics' ? 'unknown' : family.type;
  // In the older format a counter's comments carry the name of its samples.
  const described = format === 'text' ? family.name + totalSuffix(family) : family.name;
  const unit = format === 'openmetrics' && family.unit !== undefined ? `# UNIT ${described} ${family.unit}\n` : '';
  return `# HELP ${described} ${family.help}\n# TYPE ${described} ${type}\n${unit}`;
}

/** A label value with backslash, quote and line break escaped. */
export function escapeLabelValue(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
}

/** `name="value",...` in the order of the entries. */
export function renderLabels(labels: readonly (readonly [name: string, value: string])[]): string {
  return labels.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',');
}
