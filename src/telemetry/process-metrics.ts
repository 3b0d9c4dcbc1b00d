/** Metrics of a proxy's process (facts ztunnel-wire 11.1, l7-and-control 7.1). */
import { readdirSync, readFileSync } from 'node:fs';
import { type MetricFamily, renderLabels } from './exposition.ts';

/** Build, start and descriptor metrics. */
export function processFamilies(component: 'ztunnel' | 'proxy', version: string): MetricFamily[] {
  const descriptors = openDescriptors();
  const limit = maxDescriptors();
  return [
    gauge('process_open_fds', 'Number of open file descriptors', descriptors),
    gauge('process_max_fds', 'Maximum number of file descriptors', limit),
    gauge(
      'process_start_time_seconds',
      'When the process started, in seconds since 1970',
      performance.timeOrigin / 1000,
    ),
    {
      name: 'istio_build',
      help: 'Istio component build info.',
      type: 'gauge',
      samples: [
        {
          labels: renderLabels([
            ['component', component],
            ['tag', version],
          ]),
          value: 1,
        },
      ],
    },
  ];
}

/** One value without labels; left out when it is not known. */
export function gauge(name: string, help: string, value: number | undefined): MetricFamily {
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
