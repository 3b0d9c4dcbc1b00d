/** Metrics of the process and its control side (facts ztunnel-wire 11.1). */
import { readdirSync, readFileSync } from 'node:fs';
import { type MetricFamily, renderLabels, type Sample } from '../telemetry/exposition.ts';
import type { TerminationReason } from '../xds/client/delta-client.ts';

/** Counters of the xDS stream. */
export class XdsMetrics {
  readonly #messages = new Map<string, { count: number; bytes: number }>();
  readonly #terminations = new Map<TerminationReason, number>();

  message(typeUrl: string, bytes: number): void {
    const entry = this.#messages.get(typeUrl) ?? { count: 0, bytes: 0 };
    entry.count++;
    entry.bytes += bytes;
    this.#messages.set(typeUrl, entry);
  }

  terminated(reason: TerminationReason): void {
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

/** Build and descriptor metrics. */
export function processFamilies(version: string): MetricFamily[] {
  const descriptors = openDescriptors();
  const limit = maxDescriptors();
  return [
    gauge('process_open_fds', 'Number of open file descriptors', descriptors),
    gauge('process_max_fds', 'Maximum number of file descriptors', limit),
    {
      name: 'istio_build',
      help: 'Istio component build info.',
      type: 'gauge',
      samples: [
        {
          labels: renderLabels([
            ['component', 'ztunnel'],
            ['tag', version],
          ]),
          value: 1,
        },
      ],
    },
  ];
}

/** Counters of the pods in hand. */
export function podFamilies(counts: {
  active: number;
  pending: number;
  started: number;
  stopped: number;
}): MetricFamily[] {
  const counter = (name: string, help: string, value: number): MetricFamily => ({
    name,
    help,
    type: 'counter',
    samples: [{ labels: '', value }],
  });
  return [
    gauge(
      'workload_manager_active_proxy_count',
      'The total number current workloads with active proxies (unstable).',
      counts.active,
    ),
    gauge(
      'workload_manager_pending_proxy_count',
      'The total number current workloads with pending proxies (unstable).',
      counts.pending,
    ),
    counter(
      'workload_manager_proxies_started',
      'The total number of proxies that were started (unstable).',
      counts.started,
    ),
    counter(
      'workload_manager_proxies_stopped',
      'The total number of proxies that were stopped (unstable).',
      counts.stopped,
    ),
  ];
}

/** One family from several threads: samples of the same labels are added up. */
export function mergeFamilies(threads: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const [first = [], ...others] = threads;
  if (others.length === 0) return [...first];
  return first.map((family) => {
    const sums = new Map<string, Sample>();
    for (const families of threads) {
      for (const sample of families.find(({ name }) => name === family.name)?.samples ?? []) {
        const key = `${sample.suffix ?? ''}|${sample.labels}`;
        const sum = sums.get(key);
        sums.set(key, sum === undefined ? sample : { ...sum, value: sum.value + sample.value });
      }
    }
    return { ...family, samples: [...sums.values()] };
  });
}

function gauge(name: string, help: string, value: number | undefined): MetricFamily {
  return { name, help, type: 'gauge', samples: value === undefined ? [] : [{ labels: '', value }] };
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    // Without /proc the metric is left out.
    return undefined;
  }
}

function maxDescriptors(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    // Without /proc the metric is left out.
    return undefined;
  }
}
