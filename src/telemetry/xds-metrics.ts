/** Metrics of the stream from the control plane (facts ztunnel-wire 11.1). */
import { type MetricFamily, renderLabels, type Sample } from './exposition.ts';

/** Counters of the xDS stream. */
export class XdsMetrics {
  readonly #messages = new Map<string, { count: number; bytes: number }>();
  readonly #terminations = new Map<string, number>();

  message(typeUrl: string, bytes: number): void {
    const entry = this.#messages.get(typeUrl) ?? { count: 0, bytes: 0 };
    entry.count++;
    entry.bytes += bytes;
    this.#messages.set(typeUrl, entry);
  }

  terminated(reason: string): void {
    this.#terminations.set(reason, (this.#terminations.get(reason) ?? 0) + 1);
  }

  families(): MetricFamily[] {
    const byUrl = (value: (entry: { count: number; bytes: number }) => number): Sample[] =>
      [...this.#messages].map(([url, entry]) => ({ labels: renderLabels([['url', url]]), value: value(entry) }));
    return [
      {
        name: 'istio_xds_connection_terminations',
        help: 'The total number of completed connections to xds server (unstable).',
        type: 'counter',
        samples: [...this.#terminations].map(([reason, value]) => ({
          labels: renderLabels([['reason', reason]]),
          value,
        })),
      },
      {
        name: 'istio_xds_message',
        help: 'Total number of messages received (unstable).',
        type: 'counter',
        samples: byUrl((entry) => entry.count),
      },
      {
        name: 'istio_xds_message_bytes',
        help: 'Total number of bytes received (unstable).',
        type: 'counter',
        unit: 'bytes',
        samples: byUrl((entry) => entry.bytes),
      },
    ];
  }
}
