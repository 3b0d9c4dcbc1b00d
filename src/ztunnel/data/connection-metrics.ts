/**
 * The connections of a data thread in the `istio_tcp_*` family. The series of one is kept with the two workloads that it is
 * between: to put 27 labels together takes longer than all else that metrics do for a connection.
 */
import type { Workload } from '../../model/workload.ts';
import type { MetricFamily } from '../../telemetry/exposition.ts';
import { type ConnectionMeter, type SocketEnd, TcpMetrics, type TcpSeries } from '../../telemetry/tcp-metrics.ts';
import { workloadPeer } from '../../telemetry/traffic-labels.ts';
import type { ConnectionFacts } from './connection-facts.ts';

/** What labels are made of. Baggage counts only where the feed does not know the source. */
type SeriesFacts = Pick<
  ConnectionFacts,
  'direction' | 'source' | 'sourceBaggage' | 'sourceIdentity' | 'destination' | 'destinationIdentity' | 'service'
>;

/** Of two workloads that are known: what else tells their connections apart. */
interface KnownSeries extends Pick<SeriesFacts, 'direction' | 'service' | 'sourceIdentity' | 'destinationIdentity'> {
  readonly series: TcpSeries;
}

/** Of two workloads: their services, and whose proxy tells. */
const MAX_KNOWN = 8;

export class ConnectionMetrics {
  readonly #metrics = new TcpMetrics();
  /** By the workload at the other end, then by the one of this node. */
  readonly #known = new WeakMap<Workload, WeakMap<Workload, KnownSeries[]>>();

  /** Counts a new connection. */
  open(facts: SeriesFacts, socketEnd: SocketEnd): ConnectionMeter {
    return this.#metrics.openIn(this.#seriesOf(facts), socketEnd);
  }

  /** As `TcpMetrics` has them. */
  families(): MetricFamily[] {
    return this.#metrics.families();
  }

  #seriesOf(facts: SeriesFacts): TcpSeries {
    const { direction, source, destination } = facts;
    const [remote, local] = direction === 'outbound' ? [destination, source] : [source, destination];
    if (remote === undefined || local === undefined) return this.#metrics.series(trafficLabels(facts));
    const list = this.#listOf(remote, local);
    return list.find((one) => isSame(one, facts))?.series ?? this.#learn(list, facts);
  }

  #listOf(remote: Workload, local: Workload): KnownSeries[] {
    const byLocal = this.#known.get(remote) ?? new WeakMap<Workload, KnownSeries[]>();
    const list = byLocal.get(local);
    if (list !== undefined) return list;
    const fresh: KnownSeries[] = [];
    this.#known.set(remote, byLocal.set(local, fresh));
    return fresh;
  }

  #learn(list: KnownSeries[], facts: SeriesFacts): TcpSeries {
    const { direction, service, sourceIdentity, destinationIdentity } = facts;
    const series = this.#metrics.series(trafficLabels(facts));
    if (list.length === MAX_KNOWN) list.shift();
    list.push({ direction, service, sourceIdentity, destinationIdentity, series });
    return series;
  }
}

function isSame(known: KnownSeries, facts: SeriesFacts): boolean {
  return (
    known.service === facts.service &&
    known.direction === facts.direction &&
    known.sourceIdentity === facts.sourceIdentity &&
    known.destinationIdentity === facts.destinationIdentity
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
