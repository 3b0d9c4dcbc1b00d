/**
 * The metrics of requests: `istio_requests_total` and its family (facts l7-and-control 7.1), counted in plain numbers and
 * rendered only when scraped.
 *
 * Invariants:
 * - The number of label sets is bounded; requests beyond it are counted in sets that name nobody.
 * - No two sets have the same labels: what a view makes the same is counted in one.
 * - A label set that nothing was counted in for a while is dropped, and with it the memory of pods that are gone.
 */
import type { Sample, ScrapedFamily } from './exposition.ts';
import { Histogram } from './histogram.ts';
import { editLabels, type MetricView, REQUEST_METRICS, type RequestMetric } from './metric-view.ts';
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

const ALL_METRICS: ReadonlySet<RequestMetric> = new Set(REQUEST_METRICS);

const NOBODY: RequestEdgeLabels = {
  reporter: 'waypoint',
  source: undefined,
  sourcePrincipal: undefined,
  destination: undefined,
  destinationPrincipal: undefined,
  service: undefined,
  mutualTls: true,
};

/** One set of labels. Edges share it where a view leaves out what tells them apart. */
class Series {
  readonly labels: string;
  readonly isGrpc: boolean;
  /** What was ever counted here: a metric that is left out does not show. */
  readonly metrics = new Set<RequestMetric>();
  readonly duration = new Histogram(REQUEST_BUCKETS);
  readonly requestBytes = new Histogram(REQUEST_BUCKETS);
  readonly responseBytes = new Histogram(REQUEST_BUCKETS);
  requests = 0;
  requestMessages = 0;
  responseMessages = 0;
  /** How many entries count here. */
  entries = 0;

  constructor(labels: string, isGrpc: boolean) {
    this.labels = labels;
    this.isGrpc = isGrpc;
  }

  count(outcome: RequestOutcome, metrics: ReadonlySet<RequestMetric>): void {
    if (metrics.has('REQUEST_COUNT')) this.requests++;
    if (metrics.has('REQUEST_DURATION')) this.duration.observe(outcome.durationMs);
    if (metrics.has('REQUEST_SIZE')) this.requestBytes.observe(outcome.requestBytes);
    if (metrics.has('RESPONSE_SIZE')) this.responseBytes.observe(outcome.responseBytes);
    if (metrics.has('GRPC_REQUEST_MESSAGES')) this.requestMessages += outcome.requestMessages;
    if (metrics.has('GRPC_RESPONSE_MESSAGES')) this.responseMessages += outcome.responseMessages;
  }
}

/** Where the requests of an edge with one outcome are counted. */
class Entry {
  readonly series: Series;
  readonly #metrics: ReadonlySet<RequestMetric>;
  lastMs = 0;

  constructor(series: Series, metrics: ReadonlySet<RequestMetric>) {
    this.series = series;
    this.#metrics = metrics;
    series.entries++;
    for (const metric of metrics) series.metrics.add(metric);
  }

  count(outcome: RequestOutcome, nowMs: number): void {
    this.lastMs = nowMs;
    this.series.count(outcome, this.#metrics);
  }
}

/** What an entry is found by: at its edge, and where there is no room for it. */
interface EntryKeys {
  readonly own: string;
  readonly nobodys: string;
}

/** Requests of one client to one endpoint of one service. */
class Edge {
  readonly labels: string;
  readonly mutualTls: boolean;
  readonly entries = new Map<string, Entry>();

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
  readonly #byLabels = new Map<string, Series>();
  #nobody = new Edge(NOBODY);
  #entryCount = 0;
  /** By status, of HTTP without flags. */
  readonly #plainKeys = new Map<number, string>();

  constructor({ maxSeries = MAX_REQUEST_SERIES, idleMs = REQUEST_SERIES_IDLE_MS }: RequestMetricsOptions = {}) {
    this.#maxSeries = maxSeries;
    this.#idleMs = idleMs;
  }

  /**
   * Counts a request.
   * @param edgeKey names the edge; the same key always stands for the same labels
   * @param labels asked for only when the edge is new
   * @param views undefined: every metric, with the labels as they are
   */
  count(
    edgeKey: string,
    labels: () => RequestEdgeLabels,
    outcome: RequestOutcome,
    nowMs: number,
    views?: readonly MetricView[],
  ): void {
    const outcomeKey = this.#outcomeKey(outcome);
    if (views === undefined) return this.#count(edgeKey, labels, outcomeKey, outcomeKey, outcome, nowMs);
    for (const view of views) {
      const values = view.added.map(([, value]) => value).join('\0');
      const nobodys = `${outcomeKey}|${view.id}`;
      this.#count(edgeKey, labels, `${nobodys}|${values}`, nobodys, outcome, nowMs, view);
    }
  }

  #count(
    edgeKey: string,
    labels: () => RequestEdgeLabels,
    own: string,
    nobodys: string,
    outcome: RequestOutcome,
    nowMs: number,
    view?: MetricView,
  ): void {
    const known = this.#edges.get(edgeKey)?.entries.get(own);
    (known ?? this.#newEntry(edgeKey, labels, { own, nobodys }, outcome, view)).count(outcome, nowMs);
  }

  /** Most requests end as others did: a string that was used before has its hash already. */
  #outcomeKey({ code, protocol, grpcStatus, flags }: RequestOutcome): string {
    const plain = protocol === 'http' && grpcStatus === '' && flags === '-';
    const known = plain ? this.#plainKeys.get(code) : undefined;
    if (known !== undefined) return known;
    const key = `${code}${protocol}${grpcStatus}|${flags}`;
    if (plain) this.#plainKeys.set(code, key);
    return key;
  }

  /** Drops what nothing was counted in for the idle time. */
  dropIdle(nowMs: number): void {
    const oldestMs = nowMs - this.#idleMs;
    for (const [key, edge] of this.#edges) {
      this.#dropEntries(edge, oldestMs);
      if (edge.entries.size === 0) this.#edges.delete(key);
    }
    this.#dropEntries(this.#nobody, oldestMs);
  }

  /** Samples of histograms, which are the most, are made when they are read. */
  families(): ScrapedFamily[] {
    const all = [...this.#byLabels.values()];
    const having = (metric: RequestMetric) => all.filter(({ metrics }) => metrics.has(metric));
    const calls = (metric: RequestMetric) => having(metric).filter(({ isGrpc }) => isGrpc);
    const counter = (name: string, help: string, of: readonly Series[], value: (series: Series) => number) => ({
      name,
      help,
      type: 'counter' as const,
      samples: of.map((series): Sample => ({ labels: series.labels, value: value(series) })),
    });
    const histogram = (name: string, help: string, of: readonly Series[], value: (series: Series) => Histogram) => ({
      name,
      help,
      type: 'histogram' as const,
      samples: {
        *[Symbol.iterator]() {
          for (const series of of) yield* value(series).samples(series.labels);
        },
      },
    });
    return [
      counter('istio_requests', 'The total number of requests.', having('REQUEST_COUNT'), (s) => s.requests),
      histogram(
        'istio_request_duration_milliseconds',
        'The duration of requests.',
        having('REQUEST_DURATION'),
        (s) => s.duration,
      ),
      histogram(
        'istio_request_bytes',
        'The size of the bodies of requests.',
        having('REQUEST_SIZE'),
        (s) => s.requestBytes,
      ),
      histogram(
        'istio_response_bytes',
        'The size of the bodies of responses.',
        having('RESPONSE_SIZE'),
        (s) => s.responseBytes,
      ),
      counter(
        'istio_request_messages',
        'The total number of gRPC messages sent by clients.',
        calls('GRPC_REQUEST_MESSAGES'),
        (s) => s.requestMessages,
      ),
      counter(
        'istio_response_messages',
        'The total number of gRPC messages sent by servers.',
        calls('GRPC_RESPONSE_MESSAGES'),
        (s) => s.responseMessages,
      ),
    ];
  }

  #newEntry(
    edgeKey: string,
    labels: () => RequestEdgeLabels,
    keys: EntryKeys,
    outcome: RequestOutcome,
    view: MetricView | undefined,
  ): Entry {
    const hasRoom = this.#entryCount < this.#maxSeries;
    const edge = hasRoom ? this.#edgeOf(edgeKey, labels) : this.#nobody;
    const key = hasRoom ? keys.own : keys.nobodys;
    // What a request brings tells of somebody, too.
    const ownView = hasRoom || view === undefined ? view : { ...view, added: [] };
    const known = edge.entries.get(key);
    if (known !== undefined) return known;
    const rendered = `${edge.labels},${renderOutcomeLabels(outcome, edge.mutualTls)}`;
    const text = ownView === undefined ? rendered : editLabels(rendered, ownView);
    const entry = new Entry(this.#seriesOf(text, outcome.protocol === 'grpc'), ownView?.metrics ?? ALL_METRICS);
    edge.entries.set(key, entry);
    this.#entryCount++;
    return entry;
  }

  #seriesOf(labels: string, isGrpc: boolean): Series {
    const known = this.#byLabels.get(labels);
    if (known !== undefined) return known;
    const series = new Series(labels, isGrpc);
    this.#byLabels.set(labels, series);
    return series;
  }

  #edgeOf(edgeKey: string, labels: () => RequestEdgeLabels): Edge {
    const known = this.#edges.get(edgeKey);
    if (known !== undefined) return known;
    const edge = new Edge(labels());
    this.#edges.set(edgeKey, edge);
    return edge;
  }

  #dropEntries({ entries }: Edge, oldestMs: number): void {
    for (const [key, { lastMs, series }] of entries) {
      if (lastMs >= oldestMs) continue;
      entries.delete(key);
      this.#entryCount--;
      series.entries--;
      if (series.entries === 0) this.#byLabels.delete(series.labels);
    }
  }
}
