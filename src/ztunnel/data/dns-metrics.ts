/**
 * The `istio_dns_*` families (facts ztunnel-wire 11.1): plain numbers, rendered only when scraped.
 *
 * Invariant: the number of label sets is bounded; queries beyond it share the set in which every label is `unknown`.
 */
import type { DnsTransport } from '../../dns/dns-reply.ts';
import type { Workload } from '../../model/workload.ts';
import { type MetricFamily, renderLabels, type Sample } from '../../telemetry/exposition.ts';

/** The numbers of one label set. */
export interface DnsSeries {
  readonly labels: string;
  requests: number;
  upstreamRequests: number;
  upstreamFailures: number;
  /** Per bound the number of durations up to it, and not up to the one before. */
  readonly durationCounts: number[];
  durationSumSec: number;
}

const MAX_DNS_SERIES = 10_000;
const BOUNDS_SEC = [0.0005, 0.001, 0.01, 0.1, 1, 5] as const;
const BOUND_TEXTS = ['0.0005', '0.001', '0.01', '0.1', '1.0', '5.0', '+Inf'] as const;
const UNKNOWN = 'unknown';

export class DnsMetrics {
  readonly #series = new Map<string, DnsSeries>();
  readonly #maxSeries: number;

  constructor(maxSeries: number = MAX_DNS_SERIES) {
    this.#maxSeries = maxSeries;
  }

  /** The numbers for queries of this type from this client. The caller counts in place. */
  series(queryType: string, transport: DnsTransport, client: Workload | undefined): DnsSeries {
    const service = client?.canonicalName || UNKNOWN;
    const revision = client?.canonicalRevision || UNKNOWN;
    const key = `${queryType}|${transport}|${service}|${revision}`;
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing;
    const full = this.#series.size >= this.#maxSeries;
    return full ? this.#overflow() : this.#add(key, [queryType, transport, service, revision]);
  }

  families(): MetricFamily[] {
    const all = [...this.#series.values()];
    const samples = (value: (series: DnsSeries) => number): Sample[] =>
      all.map((series) => ({ labels: series.labels, value: value(series) })).filter((sample) => sample.value > 0);
    const counter = (name: string, help: string, value: (series: DnsSeries) => number): MetricFamily => ({
      name,
      help,
      type: 'counter',
      samples: samples(value),
    });
    return [
      counter('istio_dns_requests', 'Total number of DNS requests (unstable).', (s) => s.requests),
      counter(
        'istio_dns_upstream_requests',
        'Total number of DNS requests forwarded to upstream (unstable).',
        (s) => s.upstreamRequests,
      ),
      counter(
        'istio_dns_upstream_failures',
        'Total number of DNS requests that upstream did not answer, or answered with an error (unstable).',
        (s) => s.upstreamFailures,
      ),
      {
        name: 'istio_dns_upstream_request_duration_seconds',
        help: 'Total time in seconds ztunnel waited for upstream DNS (unstable).',
        type: 'histogram',
        unit: 'seconds',
        samples: all.filter((series) => series.upstreamRequests > 0).flatMap(durationSamples),
      },
    ];
  }

  #overflow(): DnsSeries {
    const labels = [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN] as const;
    return this.#series.get('overflow') ?? this.#add('overflow', labels);
  }

  #add(key: string, [type, transport, service, revision]: readonly [string, string, string, string]): DnsSeries {
    const series: DnsSeries = {
      labels: renderLabels([
        ['request_query_type', type],
        ['request_protocol', transport],
        ['source_canonical_service', service],
        ['source_canonical_revision', revision],
      ]),
      requests: 0,
      upstreamRequests: 0,
      upstreamFailures: 0,
      durationCounts: BOUND_TEXTS.map(() => 0),
      durationSumSec: 0,
    };
    this.#series.set(key, series);
    return series;
  }
}

/** Adds the duration of one forwarded query. */
export function observeUpstreamDuration(series: DnsSeries, durationSec: number): void {
  const bound = BOUNDS_SEC.findIndex((limit) => durationSec <= limit);
  const index = bound < 0 ? BOUNDS_SEC.length : bound;
  series.durationCounts[index] = (series.durationCounts[index] ?? 0) + 1;
  series.durationSumSec += durationSec;
}

function durationSamples(series: DnsSeries): Sample[] {
  const samples: Sample[] = [];
  let count = 0;
  for (const [index, bound] of BOUND_TEXTS.entries()) {
    count += series.durationCounts[index] ?? 0;
    samples.push({ suffix: '_bucket', labels: `${series.labels},le="${bound}"`, value: count });
  }
  samples.push({ suffix: '_sum', labels: series.labels, value: series.durationSumSec });
  samples.push({ suffix: '_count', labels: series.labels, value: count });
  return samples;
}
