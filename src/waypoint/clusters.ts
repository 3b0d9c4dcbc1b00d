/** The clusters that requests went to: a service, a port of it, and a subset (facts l7-and-control 2). */
import type { Permit as BreakerPermit } from '../balance/circuit-breaker.ts';
import type { Outcome as RequestOutcome } from '../balance/outlier-detector.ts';
import type { Clock } from '../base/clock.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import type { ResourceHandler } from '../xds/client/delta-client.ts';
import type { PickRequest } from './pick-request.ts';
import { type ClusterSummary, ServiceCluster } from './service-cluster.ts';
import { TrafficFeed } from './traffic-feed.ts';
import type { Endpoint } from './upstreams.ts';

export interface ClusterKey {
  readonly service: Service;
  readonly port: number;
  /** Empty for all endpoints. */
  readonly subset: string;
}

export type Outcome = RequestOutcome;
export type Permit = BreakerPermit;

export interface PickedEndpoint {
  readonly endpoint: Endpoint;
  /** 0 for the best one, such as that of the nearest locality. */
  readonly priority: number;
  /** The request is over; undefined where that says nothing about the endpoint. Only the first call counts. */
  done(outcome: Outcome | undefined): void;
}

export interface Cluster {
  /** As Istio names it; undefined for a pod that was called by its own address. */
  readonly name: string | undefined;
  readonly policy: TrafficPolicy | undefined;
  /** Undefined: no healthy upstream. Counts as an active request of the endpoint until `done`. */
  pick(self: Workload, request: PickRequest): PickedEndpoint | undefined;
  /** Whether `pick` would find the endpoint of this id. */
  holds(self: Workload, endpointId: string): boolean;
  /** Undefined when the circuit breaker is open (503 overflow). */
  admitRequest(): Permit | undefined;
  admitRetry(): Permit | undefined;
  /** For a connection that is not HTTP; those of HTTP are limited by `HttpUpstreams`. */
  admitConnection(): Permit | undefined;
}

export interface ClustersDeps {
  readonly state: MeshState;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where the waypoint is. */
  readonly namespace: string;
}

const FORGET_AFTER_MS = 1_800_000;
const SWEEP_MS = 300_000;

/** The clusters of a service as it is now, by port and subset: there are few. */
interface OfService {
  readonly port: number;
  readonly subset: string;
  readonly cluster: ServiceCluster;
}

export class Clusters {
  readonly #deps: ClustersDeps;
  readonly #feed: TrafficFeed;
  readonly #kept = new Map<string, ServiceCluster>();
  /** What was asked for before, for as long as the service is the same object. */
  #known = new WeakMap<Service, OfService[]>();
  #sweptMs = 0;

  constructor(deps: ClustersDeps) {
    this.#deps = deps;
    this.#feed = new TrafficFeed(deps.namespace, deps.clock);
  }

  /** The subscriptions that fill this. */
  handlers(): readonly ResourceHandler[] {
    return this.#feed.handlers();
  }

  /** How many are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** Those that requests went to of late. */
  summaries(): ClusterSummary[] {
    return [...this.#kept.values()].map((cluster) => cluster.summary());
  }

  /** Undefined when the subset is not there (503 NC). */
  get({ service, port, subset }: ClusterKey): Cluster | undefined {
    if (subset !== '' && this.#feed.subset(service, subset) === undefined) return undefined;
    const known = this.#known.get(service);
    const before = known?.find((one) => one.port === port && one.subset === subset)?.cluster;
    const cluster = before ?? this.#cluster({ service, port, subset });
    if (before === undefined) {
      if (known === undefined) this.#known.set(service, [{ port, subset, cluster }]);
      else known.push({ port, subset, cluster });
    }
    cluster.update(service);
    return cluster;
  }

  #cluster({ service, port, subset }: ClusterKey): ServiceCluster {
    const id = `${serviceKey(service)} ${port} ${subset}`;
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept;
    // Only what is new makes them more.
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#sweptMs >= SWEEP_MS) this.#sweep(nowMs);
    const cluster = new ServiceCluster(service, port, subset, { ...this.#deps, feed: this.#feed });
    this.#kept.set(id, cluster);
    return cluster;
  }

  #sweep(nowMs: number): void {
    this.#sweptMs = nowMs;
    this.#known = new WeakMap();
    for (const [id, cluster] of this.#kept) {
      if (nowMs - cluster.usedMs >= FORGET_AFTER_MS && !cluster.isBusy) this.#kept.delete(id);
    }
  }
}
