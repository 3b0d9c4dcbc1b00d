/**
 * The metrics of requests: `istio_requests_total` and its family (facts l7-and-control 7.1), counted in plain numbers and
 * rendered only when scraped.
 *
 * Invariants:
 * - The number of label sets is bounded; requests beyond it are counted in sets that name nobody.
 * - A label set that nothing was counted in for a while is dropped, and with it the memory of pods that are gone.
 */
import type { MetricFamily, Sample } from './exposition.ts';
import { Histogram } from './histogram.ts';
import { type OutcomeLabels, type RequestEdgeLabels, renderEdgeLabels, renderOutcomeLabels } from './request-labels.ts';

/** A request that is over. */
export interface RequestOutcome extends OutcomeLabels {
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Messages of gRPC, each way. */
  readonly requestMessages: number;
  readonly responseMessages: number;
}

/** Envoy's default bounds, which dashboards expect. */
export const REQUEST_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
export const MAX_REQUEST_SERIES = 2000;
export const REQUEST_SERIES_IDLE_MS = 900_000;

const NOBODY: RequestEdgeLabels = {
  reporter: 'waypoint',
  source: undefined,
  sourcePrincipal: undefined,
  destination: undefined,
  destinationPrincipal: undefined,
  service: undefined,
  mutualTls: true,
};

class Series {
  readonly labels: string;
  readonly isGrpc: boolean;
  readonly duration = new Histogram(REQUEST_BUCKETS);
  readonly requestBytes = new Histogram(REQUEST_BUCKETS);
  readonly responseBytes = new Histogram(REQUEST_BUCKETS);
  requests = 0;
  requestMessages = 0;
  responseMessages = 0;
  lastMs = 0;

  constructor(labels: string, isGrpc: boolean) {
    this.labels = labels;
    this.isGrpc = isGrpc;
  }

  count(outcome: RequestOutcome, nowMs: number): void {
    this.lastMs = nowMs;
    this.requests++;
    this.duration.observe(outcome.durationMs);
    this.requestBytes.observe(outcome.requestBytes);
    this.responseBytes.observe(outcome.responseBytes);
    this.requestMessages += outcome.requestMessages;
    this.responseMessages += outcome.responseMessages;
  }
}

/** Requests of one client to one endpoint of one service. */
class Edge {
  readonly labels: string;
  readonly mutualTls: boolean;
  readonly series = new Map<string, Series>();

  constructor(labels: RequestEdgeLabels) {
    this.labels = renderEdgeLabels(labels);
    this.mutualTls = labels.mutualTls;
  }
}

export interface RequestMetricsOptions {
  readonly maxSeries?: number;
  readonly idleMs?: number;
}

export class RequestMetrics {
  readonly #maxSeries: number;
  readonly #idleMs: number;
  readonly #edges = new Map<string, Edge>();
  #nobody = new Edge(NOBODY);
  #seriesCount = 0;

  constructor({ maxSeries = MAX_REQUEST_SERIES, idleMs = REQUEST_SERIES_IDLE_MS }: RequestMetricsOptions = {}) {
    this.#maxSeries = maxSeries;
    this.#idleMs = idleMs;
  }

  /**
   * Counts a request.
   * @param edgeKey names the edge; the same key always stands for the same labels
   * @param labels asked for only when the edge is new
   */
  count(edgeKey: string, labels: () => RequestEdgeLabels, outcome: RequestOutcome, nowMs: number): void {
    const outcomeKey = `${outcome.code}${outcome.protocol}${outcome.grpcStatus}|${outcome.flags}`;
    const known = this.#edges.get(edgeKey)?.series.get(outcomeKey);
    (known ?? this.#newSeries(edgeKey, labels, outcomeKey, outcome)).count(outcome, nowMs);
  }

  /** Drops what nothing was counted in for the idle time. */
  dropIdle(nowMs: number): void {
    const oldestMs = nowMs - this.#idleMs;
    for (const [key, edge] of this.#edges) {
      this.#dropSeries(edge, oldestMs);
      if (edge.series.size === 0) this.#edges.delete(key);
    }
    this.#dropSeries(this.#nobody, oldestMs);
  }

  families(): MetricFamily[] {
    const all = [...this.#edges.values(), this.#nobody].flatMap(({ series }) => [...series.values()]);
    const grpc = all.filter(({ isGrpc }) => isGrpc);
    const counter = (name: string, help: string, of: readonly Series[], value: (series: Series) => number) => ({
      name,
      help,
      type: 'counter' as const,
      samples: of.map((series): Sample => ({ labels: series.labels, value: value(series) })),
    });
    const histogram = (name: string, help: string, value: (series: Series) => Histogram) => ({
      name,
      help,
      type: 'histogram' as const,
      samples: all.flatMap((series) => value(series).samples(series.labels)),
    });
    return [
      counter('istio_requests', 'The total number of requests.', all, (s) => s.requests),
      histogram('istio_request_duration_milliseconds', 'The duration of requests.', (s) => s.duration),
      histogram('istio_request_bytes', 'The size of the bodies of requests.', (s) => s.requestBytes),
      histogram('istio_response_bytes', 'The size of the bodies of responses.', (s) => s.responseBytes),
      counter(
        'istio_request_messages',
        'The total number of gRPC messages sent by clients.',
        grpc,
        (s) => s.requestMessages,
      ),
      counter(
        'istio_response_messages',
        'The total number of gRPC messages sent by servers.',
        grpc,
        (s) => s.responseMessages,
      ),
    ];
  }

  #newSeries(edgeKey: string, labels: () => RequestEdgeLabels, outcomeKey: string, outcome: RequestOutcome): Series {
    const edge = this.#seriesCount < this.#maxSeries ? this.#edgeOf(edgeKey, labels) : this.#nobody;
    const known = edge.series.get(outcomeKey);
    if (known !== undefined) return known;
    const outcomeLabels = renderOutcomeLabels(outcome, edge.mutualTls);
    const series = new Series(`${edge.labels},${outcomeLabels}`, outcome.protocol === 'grpc');
    edge.series.set(outcomeKey, series);
    this.#seriesCount++;
    return series;
  }

  #edgeOf(edgeKey: string, labels: () => RequestEdgeLabels): Edge {
    const known = this.#edges.get(edgeKey);
    if (known !== undefined) return known;
    const edge = new Edge(labels());
    this.#edges.set(edgeKey, edge);
    return edge;
  }

  #dropSeries({ series }: Edge, oldestMs: number): void {
    for (const [key, { lastMs }] of series) {
      if (lastMs >= oldestMs) continue;
      series.delete(key);
      this.#seriesCount--;
    }
  }
}
