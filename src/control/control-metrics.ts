/** What the control plane counts, under istiod's names where it has them (facts l7-and-control 9.1, 9.3). */
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, WORKLOAD_TYPE_URL } from '../model/feed-encode.ts';
import { type MetricFamily, renderLabels, type Sample } from '../telemetry/exposition.ts';
import { Histogram } from '../telemetry/histogram.ts';
import type { DeltaServerStats } from '../xds/server/delta-server.ts';
import type { CaServiceStats } from './ca-service.ts';
import type { IntakeCounts } from './kube-intake.ts';

export interface ControlMetricsSource {
  readonly version: string;
  readonly startedMs: number;
  readonly xds: DeltaServerStats;
  readonly ca: CaServiceStats;
  readonly events: () => IntakeCounts;
  /** When the issuing certificate ends, in milliseconds since the epoch; undefined before there is one. */
  readonly rootExpiryMs: () => number | undefined;
  readonly isLeader: () => boolean;
  /** Resources of the feed, by type URL. */
  readonly resources: () => ReadonlyMap<string, number>;
}

/** Short names of the types, as istiod labels them. */
const TYPES: ReadonlyMap<string, string> = new Map([
  [ADDRESS_TYPE_URL, 'wds'],
  [WORKLOAD_TYPE_URL, 'workload'],
  [AUTHORIZATION_TYPE_URL, 'wads'],
]);
/** Seconds. istiod's begin at 0.1; pushes here are faster. */
const CONVERGENCE_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30];

export class ControlMetrics {
  readonly #source: ControlMetricsSource;
  readonly #convergence = new Histogram(CONVERGENCE_BUCKETS);

  constructor(source: ControlMetricsSource) {
    this.#source = source;
    source.xds.onConverged = (waitedMs) => this.#convergence.observe(waitedMs / 1000);
  }

  families(): MetricFamily[] {
    const { version } = this.#source;
    const build = renderLabels([
      ['component', 'pilot'],
      ['tag', version],
    ]);
    return [
      gauge('istio_build', 'The build, as 1.', 1, build),
      gauge('pilot_info', 'The version, as 1.', 1, renderLabels([['version', version]])),
      ...this.#xdsFamilies(),
      ...this.#caFamilies(),
      {
        name: 'pilot_k8s_cfg_events',
        help: 'Changes of objects that count, by kind.',
        type: 'counter',
        bareName: true,
        samples: eventSamples(this.#source.events()),
      },
      gauge('ambit_control_leader', 'Whether this replica leads.', this.#source.isLeader() ? 1 : 0),
      ...memoryFamilies(),
      gauge(
        'process_start_time_seconds',
        'When the process started, in seconds since 1970.',
        this.#source.startedMs / 1000,
      ),
      counter('process_cpu_seconds', 'CPU time of the process.', cpuSeconds()),
    ];
  }

  #xdsFamilies(): MetricFamily[] {
    const { xds, version, resources } = this.#source;
    return [
      gauge('pilot_xds', 'Open streams of proxies.', xds.streams, renderLabels([['version', version]])),
      bareCounter('pilot_xds_pushes', 'Responses sent to proxies.', byType(xds.pushesOfType)),
      bareCounter(
        'pilot_total_xds_rejects',
        'Responses that a proxy rejected in part or whole.',
        byType(xds.rejectsOfType),
      ),
      this.#convergence.family(
        'pilot_proxy_convergence_time',
        'Seconds from a change of a resource to its push to a stream.',
      ),
      {
        name: 'ambit_control_resources',
        help: 'Resources of the feed.',
        type: 'gauge',
        samples: byType(resources()),
      },
    ];
  }

  #caFamilies(): MetricFamily[] {
    const { ca, rootExpiryMs } = this.#source;
    const expiryMs = rootExpiryMs();
    const one = (value: number): Sample[] => [{ labels: '', value }];
    return [
      bareCounter('citadel_server_csr_count', 'Signing requests.', one(ca.requests)),
      bareCounter('citadel_server_success_cert_issuance_count', 'Certificates issued.', one(ca.issued)),
      bareCounter(
        'citadel_server_authentication_failure_count',
        'Signing requests of callers that were not who they had to be.',
        one(ca.unauthenticated),
      ),
      bareCounter('citadel_server_csr_parsing_err_count', 'Signing requests that were no good.', one(ca.badRequests)),
      {
        name: 'citadel_server_root_cert_expiry_timestamp',
        help: 'When the issuing certificate ends, in seconds since 1970.',
        type: 'gauge',
        samples: expiryMs === undefined ? [] : one(Math.floor(expiryMs / 1000)),
      },
    ];
  }
}

function memoryFamilies(): MetricFamily[] {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return [
    gauge('process_resident_memory_bytes', 'Memory of the process.', rss),
    gauge('nodejs_heap_size_total_bytes', 'Size of the heap.', heapTotal),
    gauge('nodejs_heap_size_used_bytes', 'Used part of the heap.', heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory of buffers outside of the heap.', external),
  ];
}

function byType(counts: ReadonlyMap<string, number>): Sample[] {
  return [...counts].map(([url, value]) => ({ labels: renderLabels([['type', TYPES.get(url) ?? url]]), value }));
}

function eventSamples(counts: IntakeCounts): Sample[] {
  return [...counts].flatMap(([kind, { added, updated, deleted }]) =>
    Object.entries({ add: added, update: updated, delete: deleted }).map(([event, value]) => ({
      labels: renderLabels([
        ['type', kind],
        ['event', event],
      ]),
      value,
    })),
  );
}

function gauge(name: string, help: string, value: number, labels = ''): MetricFamily {
  return { name, help, type: 'gauge', samples: [{ labels, value }] };
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: 'counter', samples: [{ labels: '', value }] };
}

function bareCounter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', bareName: true, samples };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
