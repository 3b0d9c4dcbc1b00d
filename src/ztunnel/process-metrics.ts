/** Metrics of the pods of a node, and of several threads together (facts ztunnel-wire 11.1). */
import type { MetricFamily, Sample } from '../telemetry/exposition.ts';
import { gauge } from '../telemetry/process-metrics.ts';

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
