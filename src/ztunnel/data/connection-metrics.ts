/**
 * The connections of a data thread in the `istio_tcp_*` family. The series of one is kept with the workload at its other end:
 * to put 27 labels together takes longer than all else that metrics do for a connection.
 */
import type { Workload } from '../../model/workload.ts';
import type { MetricFamily } from '../../telemetry/exposition.ts';
import { type ConnectionMeter, type SocketEnd, TcpMetrics, type TcpSeries } from '../../telemetry/tcp-metrics.ts';
import { workloadPeer } from '../../telemetry/traffic-labels.ts';
import type { ConnectionFacts } from './connection-report.ts';

/** What labels are made of; the baggage counts for no workload of the feed alone. */
type SeriesFacts = Pick<
  ConnectionFacts,
  'direction' | 'source' | 'sourceBaggage' | 'sourceIdentity' | 'destination' | 'destinationIdentity' | 'service'
>;

interface KnownSeries {
  readonly facts: SeriesFacts;
  readonly series: TcpSeries;
}

/** For each workload: who it talks with here, and by which services. */
const MAX_KNOWN = 8;

export class ConnectionMetrics {
  readonly #metrics = new TcpMetrics();
  readonly #known = new WeakMap<Workload, KnownSeries[]>();

  /** Counts a new connection. */
  open(facts: SeriesFacts, socketEnd: SocketEnd): ConnectionMeter {
    return this.#metrics.openIn(this.#seriesOf(facts), socketEnd);
  }

  /** As `TcpMetrics` has them. */
  families(): MetricFamily[] {
    return this.#metrics.families();
  }

  #seriesOf(facts: SeriesFacts): TcpSeries {
    const remote = facts.direction === 'outbound' ? facts.destination : facts.source;
    if (remote === undefined) return this.#metrics.series(trafficLabels(facts));
    const list = this.#known.get(remote);
    const known = list?.find((one) => isSame(one.facts, facts));
    return known?.series ?? this.#learn(remote, list ?? [], facts);
  }

  #learn(remote: Workload, list: KnownSeries[], facts: SeriesFacts): TcpSeries {
    const { direction, source, sourceBaggage, sourceIdentity, destination, destinationIdentity, service } = facts;
    const series = this.#metrics.series(trafficLabels(facts));
    if (list.length === 0) this.#known.set(remote, list);
    else if (list.length === MAX_KNOWN) list.shift();
    list.push({
      facts: { direction, source, sourceBaggage, sourceIdentity, destination, destinationIdentity, service },
      series,
    });
    return series;
  }
}

function isSame(a: SeriesFacts, b: SeriesFacts): boolean {
  return (
    a.destination === b.destination &&
    a.source === b.source &&
    a.service === b.service &&
    a.direction === b.direction &&
    a.sourceIdentity === b.sourceIdentity &&
    a.destinationIdentity === b.destinationIdentity &&
    (a.source !== undefined || a.sourceBaggage === b.sourceBaggage)
  );
}

function trafficLabels(facts: SeriesFacts) {
  return {
    reporter: facts.direction === 'outbound' ? ('source' as const) : ('destination' as const),
    source: facts.source === undefined ? facts.sourceBaggage : workloadPeer(facts.source),
    destination: facts.destination && workloadPeer(facts.destination),
    sourcePrincipal: facts.sourceIdentity,
    destinationPrincipal: facts.destinationIdentity,
    service: facts.service,
    mutualTls: facts.sourceIdentity !== undefined,
  };
}
