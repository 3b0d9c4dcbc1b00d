/** Who asked whom, for the metrics of a waypoint (facts l7-and-control 7.2). */
import type { Clock } from '../base/clock.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import type { IpAddress } from '../model/address.ts';
import { type Service, serviceKey } from '../model/service.ts';
import { parseSpiffeId, type SpiffeId } from '../model/spiffe.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';
import type { MetricView } from '../telemetry/metric-view.ts';
import type { RequestMetrics, RequestOutcome } from '../telemetry/request-metrics.ts';
import type { ConnectionMeter, TcpMetrics } from '../telemetry/tcp-metrics.ts';
import { type PeerLabels, workloadPeer } from '../telemetry/traffic-labels.ts';
import type { Endpoint } from './upstreams.ts';

/** A client as telemetry names it; found once for each of its connections. */
export interface ClientLabels {
  /** The same for clients that labels do not tell apart. */
  readonly key: string;
  readonly peer: PeerLabels;
  readonly principal: SpiffeId;
}

export interface RequestTelemetryDeps {
  readonly clock: Clock;
  readonly state: MeshState;
  readonly network: string;
  readonly requests: RequestMetrics;
  readonly connections: TcpMetrics;
}

/** Where a client's last request went, and how metrics name that. */
interface LastEdge {
  readonly service: Service | undefined;
  readonly workload: Workload | undefined;
  readonly key: string;
}

export class RequestTelemetry {
  readonly #deps: RequestTelemetryDeps;
  /** Requests of a connection mostly go where the one before went. */
  readonly #lastEdges = new WeakMap<ClientLabels, LastEdge>();
  /** By workload: many requests go to few endpoints. */
  readonly #peerKeys = new WeakMap<Workload, string>();

  constructor(deps: RequestTelemetryDeps) {
    this.#deps = deps;
  }

  /** The workload that owns the address, if the identity is its own; else what the identity tells. */
  client(ip: IpAddress, principal: SpiffeId): ClientLabels {
    const { state, network } = this.#deps;
    const workload = state.workloadByAddress(network, ip);
    const isOwner = workload !== undefined && workloadIdentity(workload) === principal;
    const peer = isOwner ? workloadPeer(workload) : identityPeer(principal);
    return { key: `${peerKey(peer)}|${principal}`, peer, principal };
  }

  /**
   * Counts a request that is over.
   * @param called the service that the client asked for
   * @param views undefined: in all metrics, with the labels as they are
   */
  count(
    client: ClientLabels,
    called: Service | undefined,
    endpoint: Endpoint | undefined,
    outcome: RequestOutcome,
    views?: readonly MetricView[],
  ): void {
    const service = endpoint?.service ?? called;
    this.#deps.requests.count(
      this.#edgeKey(client, service, endpoint?.workload),
      () => ({ reporter: 'waypoint', mutualTls: true, service, ...labelsOf(client, endpoint) }),
      outcome,
      this.#deps.clock.monotonicMs(),
      views,
    );
  }

  /** Counts a connection that is not HTTP, from now on. */
  connection(client: ClientLabels, called: Service | undefined, endpoint: Endpoint | undefined): ConnectionMeter {
    const service = endpoint?.service ?? called;
    return this.#deps.connections.open(
      { reporter: 'waypoint', mutualTls: true, service, ...labelsOf(client, endpoint) },
      'server',
    );
  }

  #edgeKey(client: ClientLabels, service: Service | undefined, workload: Workload | undefined): string {
    const last = this.#lastEdges.get(client);
    if (last !== undefined && last.service === service && last.workload === workload) return last.key;
    const serviceName = service === undefined ? '' : serviceKey(service);
    const endpointKey = workload === undefined ? '' : this.#endpointKey(workload);
    const key = `${client.key}|${serviceName}|${endpointKey}`;
    this.#lastEdges.set(client, { service, workload, key });
    return key;
  }

  #endpointKey(workload: Workload): string {
    const known = this.#peerKeys.get(workload);
    if (known !== undefined) return known;
    const key = `${peerKey(workloadPeer(workload))}|${workloadIdentity(workload)}`;
    this.#peerKeys.set(workload, key);
    return key;
  }
}

function labelsOf(client: ClientLabels, endpoint: Endpoint | undefined) {
  const workload = endpoint?.workload;
  const takesTunnels = workload?.protocol === 'HBONE';
  return {
    source: client.peer,
    sourcePrincipal: client.principal,
    destination: workload && workloadPeer(workload),
    destinationPrincipal: takesTunnels ? workloadIdentity(workload) : undefined,
  };
}

function peerKey(peer: PeerLabels): string {
  return Object.values(peer).join('|');
}

/** All that is known of a client whose address nobody owns. */
function identityPeer(principal: SpiffeId): PeerLabels {
  const namespace = parseSpiffeId(principal)?.namespace ?? '';
  return {
    workload: '',
    namespace,
    canonicalService: '',
    canonicalRevision: '',
    cluster: '',
    region: '',
    zone: '',
  };
}
