/** `istio_on_demand_dns_total`: lookups of workloads that the feed names by hostname (facts ztunnel-wire 11.1). */
import { type Workload, workloadIdentity } from '../../model/workload.ts';
import { type MetricFamily, renderLabels } from '../../telemetry/exposition.ts';

/** Label sets kept; lookups beyond them are not counted. */
const MAX_SERIES = 4096;
const UNKNOWN = 'unknown';

export class OnDemandDnsMetrics {
  readonly #counts = new Map<string, number>();

  /** Counts one lookup for a connection of `source`. */
  count(source: Workload, hostname: string): void {
    const labels = labelsOf(source, hostname);
    const count = this.#counts.get(labels);
    if (count === undefined && this.#counts.size >= MAX_SERIES) return;
    this.#counts.set(labels, (count ?? 0) + 1);
  }

  families(): MetricFamily[] {
    return [
      {
        name: 'istio_on_demand_dns',
        help: 'The total number of requests that used on-demand DNS (unstable).',
        type: 'counter',
        samples: [...this.#counts].map(([labels, value]) => ({ labels, value })),
      },
    ];
  }
}

function labelsOf(source: Workload, hostname: string): string {
  return renderLabels(
    (
      [
        ['source_workload', source.workloadName],
        ['source_canonical_service', source.canonicalName],
        ['source_canonical_revision', source.canonicalRevision],
        ['source_workload_namespace', source.namespace],
        ['source_principal', workloadIdentity(source)],
        ['source_app', source.canonicalName],
        ['source_version', source.canonicalRevision],
        ['source_cluster', source.clusterId],
        ['hostname', hostname],
      ] as const
    ).map(([name, value]) => [name, value || UNKNOWN] as const),
  );
}
