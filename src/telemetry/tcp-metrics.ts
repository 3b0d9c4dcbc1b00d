/**
 * The `istio_tcp_*` family: plain integers, rendered only when scraped (facts ztunnel-wire 11.1).
 *
 * Invariants:
 * - Opened counts under the flag `-`; closed and failed under the final flag; bytes under `-`, live.
 * - The number of label sets is bounded; connections beyond it share one set in which every label is `unknown`.
 */
import type { MetricFamily, Sample } from './exposition.ts';
import { type RenderedTrafficLabels, renderTrafficLabels, type TrafficLabels } from './traffic-labels.ts';

/** Byte counts of one connection as the copy loop sees them. Incremented in place, never reset. */
export interface ByteCounters {
  bytesFromSocket: number;
  bytesToSocket: number;
}

/** Which end of the connection the copy loop's socket is. */
export type SocketEnd = 'client' | 'server';

/** Connections that have all labels in common, but how they ended. */
export interface TcpSeries {
  readonly labels: RenderedTrafficLabels;
  opened: number;
  receivedBytes: number;
  sentBytes: number;
  readonly closed: Map<string, number>;
  readonly failed: Map<string, number>;
}

/**
 * The part of one connection in the metrics. It is itself what the copy loop counts in: one object per connection, since
 * idle connections are many.
 */
export class ConnectionMeter implements ByteCounters {
  bytesFromSocket = 0;
  bytesToSocket = 0;
  readonly #open: Set<ConnectionMeter>;
  readonly #series: TcpSeries;
  readonly #socketEnd: SocketEnd;
  #settledFrom = 0;
  #settledTo = 0;

  constructor(open: Set<ConnectionMeter>, series: TcpSeries, socketEnd: SocketEnd) {
    this.#open = open;
    this.#series = series;
    this.#socketEnd = socketEnd;
    open.add(this);
  }

  /** Adds the bytes counted since the last time to the connection's series. */
  settle(): void {
    const from = this.bytesFromSocket - this.#settledFrom;
    const to = this.bytesToSocket - this.#settledTo;
    const clientIsSocket = this.#socketEnd === 'client';
    this.#series.receivedBytes += clientIsSocket ? from : to;
    this.#series.sentBytes += clientIsSocket ? to : from;
    this.#settledFrom = this.bytesFromSocket;
    this.#settledTo = this.bytesToSocket;
  }

  /** Ends the connection; a `failed` one counts in both families. Calling it again does nothing. */
  close(flag: string, failed: boolean): void {
    if (!this.#open.delete(this)) return;
    this.settle();
    increment(this.#series.closed, flag);
    if (failed) increment(this.#series.failed, flag);
  }
}

export const MAX_TRAFFIC_SERIES = 50_000;
const OVERFLOW: TrafficLabels = {
  reporter: 'source',
  source: undefined,
  destination: undefined,
  sourcePrincipal: undefined,
  destinationPrincipal: undefined,
  service: undefined,
  mutualTls: false,
};

export class TcpMetrics {
  readonly #series = new Map<string, TcpSeries>();
  readonly #open = new Set<ConnectionMeter>();
  readonly #maxSeries: number;

  constructor(maxSeries: number = MAX_TRAFFIC_SERIES) {
    this.#maxSeries = maxSeries;
  }

  /** Counts a new connection. Client to server is `received`, whichever proxy reports it. */
  open(labels: TrafficLabels, socketEnd: SocketEnd): ConnectionMeter {
    return this.openIn(this.series(labels), socketEnd);
  }

  /** As `open`, where the series is known. */
  openIn(series: TcpSeries, socketEnd: SocketEnd): ConnectionMeter {
    series.opened++;
    return new ConnectionMeter(this.#open, series, socketEnd);
  }

  /** The one of these labels, for as long as this object lives. */
  series(labels: TrafficLabels): TcpSeries {
    const rendered = renderTrafficLabels(labels);
    const key = rendered.before + rendered.after;
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing;
    if (this.#series.size >= this.#maxSeries && labels !== OVERFLOW) return this.series(OVERFLOW);
    const series: TcpSeries = {
      labels: rendered,
      opened: 0,
      receivedBytes: 0,
      sentBytes: 0,
      closed: new Map(),
      failed: new Map(),
    };
    this.#series.set(key, series);
    return series;
  }

  /** The families as they stand, bytes of open connections included. */
  families(): MetricFamily[] {
    for (const meter of this.#open) meter.settle();
    const all = [...this.#series.values()];
    const plain = (value: (series: TcpSeries) => number): Sample[] =>
      all.map((series) => ({ labels: withFlag(series.labels, '-'), value: value(series) }));
    const flagged = (values: (series: TcpSeries) => ReadonlyMap<string, number>): Sample[] =>
      all.flatMap((series) =>
        [...values(series)].map(([flag, value]) => ({ labels: withFlag(series.labels, flag), value })),
      );
    return [
      counter(
        'istio_tcp_connections_opened',
        'The total number of TCP connections opened.',
        plain((s) => s.opened),
      ),
      counter(
        'istio_tcp_connections_closed',
        'The total number of TCP connections closed.',
        flagged((s) => s.closed),
      ),
      counter(
        'istio_tcp_received_bytes',
        'The size of total bytes received during request in case of a TCP connection.',
        plain((s) => s.receivedBytes),
      ),
      counter(
        'istio_tcp_sent_bytes',
        'The size of total bytes sent during response in case of a TCP connection.',
        plain((s) => s.sentBytes),
      ),
      counter(
        'istio_tcp_connections_failed',
        'The total number of TCP connections that failed (unstable).',
        flagged((s) => s.failed),
      ),
    ];
  }
}

function increment(counts: Map<string, number>, flag: string): void {
  counts.set(flag, (counts.get(flag) ?? 0) + 1);
}

function withFlag({ before, after }: RenderedTrafficLabels, flag: string): string {
  return before + flag + after;
}

function counter(name: string, help: string, samples: Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}
