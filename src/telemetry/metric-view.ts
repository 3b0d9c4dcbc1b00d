/** Request metrics as a Telemetry object wants them: some left out, labels removed or given values (facts l7-and-control 6.4). */
import { escapeLabelValue } from './exposition.ts';

/** The request metrics, by the names of Telemetry objects. */
export const REQUEST_METRICS = [
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const;

export type RequestMetric = (typeof REQUEST_METRICS)[number];

/** One set of labels, and the metrics that have them. */
export interface MetricView {
  /** The same for all requests of one configuration. */
  readonly id: string;
  readonly metrics: ReadonlySet<RequestMetric>;
  readonly removed: ReadonlySet<string>;
  /** In place of a label of the name, or after the others. */
  readonly added: readonly (readonly [name: string, value: string])[];
}

const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
/** Names that the exposition has for itself. */
const OWN_LABELS = /^(?:le|quantile|__.*)$/;

export function isLabelName(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !OWN_LABELS.test(name);
}

/** Labels that are rendered already, with the changes. */
export function editLabels(rendered: string, { removed, added }: Pick<MetricView, 'removed' | 'added'>): string {
  const labels = new Map<string, string>();
  for (const [, name = '', value = ''] of rendered.matchAll(LABEL)) if (!removed.has(name)) labels.set(name, value);
  for (const [name, value] of added) labels.set(name, escapeLabelValue(value));
  return [...labels].map(([name, value]) => `${name}="${value}"`).join(',');
}
