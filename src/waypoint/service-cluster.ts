/**
 * The endpoints of one service, port and subset, as this waypoint sees them: who is busy, who fails, what is under way.
 *
 * Invariants:
 * - Lists are made when the feed, the policy or an ejection changes them, never for a pick; hash rings not for an ejection.
 * - Counts and ejections of an endpoint last as long as it is an endpoint, whatever else changes.
 */
import type { Balancer, WeightedHost } from '../balance/balancer.ts';
import { type BreakerLimits, CircuitBreaker, type Permit } from '../balance/circuit-breaker.ts';
import { isConsistent, makeBalancer, makeRing } from '../balance/make-balancer.ts';
import { type Outcome, OutlierDetector } from '../balance/outlier-detector.ts';
import { type HostPart, PriorityBalancer } from '../balance/priority-balancer.ts';
import { RetryBudget } from '../balance/retry-budget.ts';
import type { RingHashBalancer } from '../balance/ring-hash.ts';
import { xxHash64 } from '../balance/xxhash64.ts';
import type { Clock } from '../base/clock.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { Algorithm, type LoadBalancer, type TrafficPolicies, TrafficPolicy } from '../proto/gen/ambit.ts';
import { type ClusterHost, type ClusterHosts, type ClusterScope, clusterHosts, namedHosts } from './cluster-hosts.ts';
import type { PickRequest } from './pick-request.ts';
import type { TrafficFeed } from './traffic-feed.ts';

export interface ServiceClusterDeps {
  readonly state: MeshState;
  readonly clock: Clock;
  readonly random: () => number;
  readonly feed: TrafficFeed;
}

/** A cluster as the configuration dump shows it. */
export interface ClusterSummary {
  readonly service: string;
  readonly port: number;
  readonly subset: string;
  readonly policy: TrafficPolicy | undefined;
  /** Under way, and how often there was no room. */
  readonly active: BreakerLimits;
  readonly refused: BreakerLimits;
  readonly endpoints: readonly {
    readonly uid: string;
    readonly address: string;
    readonly priority: number;
    readonly activeRequests: number;
    /** Out of balancing, because it failed. */
    readonly ejected: boolean;
  }[];
}

/** Draws for a host that did not fail the request before (facts l7-and-control 10.5). */
const AVOID_DRAWS = 5;
/** Below this share of healthy hosts all are used, where nothing is ejected by policy. */
const DEFAULT_PANIC_PERCENT = 50;
const NO_LIMITS: BreakerLimits = { connections: 0, pending: 0, requests: 0, retries: 0 };
const NO_PARTS: readonly HostPart<ClusterHost>[] = [];
/** There are few priorities, and fewer ways to leave some of them. */
const MAX_PARTIAL_BALANCERS = 16;
const NO_HOSTS: ClusterHosts = { byUid: new Map(), levels: [] };

export class ServiceCluster {
  readonly #deps: ServiceClusterDeps;
  readonly #port: number;
  readonly #subset: string;
  #service: Service;
  #policy: TrafficPolicy | undefined;
  #policyBytes: Uint8Array | undefined;
  #policiesRevision = -1;
  #said: TrafficPolicies | undefined;
  readonly #breaker = new CircuitBreaker(NO_LIMITS);
  #outliers: OutlierDetector | undefined;
  #hosts = NO_HOSTS;
  #balancer: Balancer<ClusterHost> | undefined;
  /** For retries that leave some priorities, by these. */
  readonly #balancersWithout = new Map<string, Balancer<ClusterHost>>();
  /** Made when a client names one. */
  #namedHosts: ReadonlyMap<string, ClusterHost> | undefined;
  #retryBudget: RetryBudget | undefined;
  /** By the priority that they are of, for as long as its hosts are the same: an ejection makes no ring anew. */
  readonly #rings = new WeakMap<readonly HostPart<ClusterHost>[], RingHashBalancer<ClusterHost>>();
  /** What the hosts were made of. */
  #madeOf: { readonly self: Workload; readonly revision: number; readonly labels: number } | undefined;
  #isNew = true;
  readonly #serviceKey: string;
  /** As Istio names it. */
  readonly name: string;
  /** When an endpoint was asked for last; monotonic. */
  usedMs: number;

  constructor(service: Service, port: number, subset: string, deps: ServiceClusterDeps) {
    this.#service = service;
    this.#port = port;
    this.#subset = subset;
    this.#deps = deps;
    this.#serviceKey = serviceKey(service);
    this.name = `outbound|${port}|${subset}|${service.hostname}`;
    this.usedMs = deps.clock.monotonicMs();
    this.update(service);
  }

  /** The policy in force; another object when it changes, and only then. */
  get policy(): TrafficPolicy | undefined {
    return this.#policy;
  }

  /** Whether requests to it are under way. */
  get isBusy(): boolean {
    for (const { active } of this.#hosts.byUid.values()) if (active > 0) return true;
    return false;
  }

  summary(): ClusterSummary {
    const count = (of: (resource: keyof BreakerLimits) => number) => ({
      connections: of('connections'),
      pending: of('pending'),
      requests: of('requests'),
      retries: of('retries'),
    });
    return {
      service: this.#serviceKey,
      port: this.#port,
      subset: this.#subset,
      policy: this.#policy,
      active: count((resource) => this.#breaker.used(resource)),
      refused: count((resource) => this.#breaker.refused(resource)),
      endpoints: [...this.#hosts.byUid.values()].map((host) => ({
        uid: host.uid,
        address: host.hashKey,
        priority: host.priority,
        activeRequests: host.active,
        ejected: !this.#isUsable(host),
      })),
    };
  }

  /** Takes the service and its policy as they are now. */
  update(service: Service): void {
    this.#service = service;
    const { feed } = this.#deps;
    if (this.#policiesRevision === feed.policiesRevision) return;
    this.#policiesRevision = feed.policiesRevision;
    const said = feed.of(service);
    if (said === this.#said) return;
    this.#said = said;
    // Subsets may have changed, too.
    this.#madeOf = undefined;
    const policy = feed.policy(service, this.#port, this.#subset);
    const bytes = policy && TrafficPolicy.encode(policy).finish();
    if (sameBytes(this.#policyBytes, bytes)) return;
    this.#policyBytes = bytes;
    // An object of its own for each cluster: limits of connections go by it.
    this.#policy = policy && { ...policy };
    this.#configure();
  }

  pick(self: Workload, request: PickRequest) {
    const nowMs = this.#freshen(self);
    const { endpointId } = request;
    const named = endpointId === undefined ? undefined : this.#named(self, endpointId);
    const host = named ?? this.#choose(request, nowMs);
    if (host === undefined) return undefined;
    host.active += 1;
    let isDone = false;
    return {
      endpoint: host.endpoint,
      priority: host.priority,
      done: (outcome: Outcome | undefined) => {
        if (isDone) return;
        isDone = true;
        host.active -= 1;
        if (outcome !== undefined) this.#judge(host, outcome);
      },
    };
  }

  holds(self: Workload, endpointId: string): boolean {
    this.#freshen(self);
    return this.#named(self, endpointId) !== undefined;
  }

  admitRequest(): Permit | undefined {
    const permit = this.#breaker.admit('requests');
    const budget = this.#retryBudget;
    if (permit === undefined || budget === undefined) return permit;
    const release = () => {
      permit.release();
      budget.requestEnded(this.#deps.clock.monotonicMs());
    };
    return { release: once(release) };
  }

  admitRetry(): Permit | undefined {
    if (this.#retryBudget === undefined) return this.#breaker.admit('retries');
    const limit = this.#retryBudget.limit(this.#breaker.used('requests'), this.#deps.clock.monotonicMs());
    return this.#breaker.admitBelow('retries', limit);
  }

  /** For a connection that is not HTTP; those of HTTP are counted where they are kept. */
  admitConnection(): Permit | undefined {
    return this.#breaker.admit('connections');
  }

  #configure(): void {
    const pool = this.#policy?.connectionPool;
    this.#breaker.setLimits(
      pool === undefined
        ? NO_LIMITS
        : {
            connections: pool.maxConnections,
            pending: pool.maxPendingRequests,
            requests: pool.maxRequests,
            retries: pool.maxRetries,
          },
    );
    const budget = this.#policy?.retryBudget;
    this.#retryBudget = budget && new RetryBudget(budget);
    const detection = this.#policy?.outlierDetection;
    if (detection === undefined) this.#outliers = undefined;
    else if (this.#outliers !== undefined) this.#outliers.setSettings(detection);
    else this.#outliers = new OutlierDetector(detection, this.#deps.clock.monotonicMs());
  }

  /** Brings hosts and ejections up to date. @returns the monotonic time */
  #freshen(self: Workload): number {
    const nowMs = this.#deps.clock.monotonicMs();
    this.usedMs = nowMs;
    this.#refresh(self, nowMs);
    if (this.#outliers?.sweep(nowMs) === true) this.#forgetBalancers();
    return nowMs;
  }

  /** An endpoint that a client names, unless it is ejected. */
  #named(self: Workload, endpointId: string): ClusterHost | undefined {
    const { state, feed } = this.#deps;
    this.#namedHosts ??= namedHosts(state, feed, this.#scope, self, this.#hosts.byUid);
    const host = this.#namedHosts.get(endpointId);
    return host !== undefined && this.#isUsable(host) ? host : undefined;
  }

  get #scope(): ClusterScope {
    const service = this.#service;
    const subset = this.#subset === '' ? undefined : this.#deps.feed.subset(service, this.#subset);
    return { service, port: this.#port, subset, loadBalancer: this.#policy?.loadBalancer };
  }

  #refresh(self: Workload, nowMs: number): void {
    const { state, feed } = this.#deps;
    const revision = state.revision(this.#serviceKey);
    const loadBalancer = this.#policy?.loadBalancer;
    const asksForLabels = this.#subset !== '' || (loadBalancer?.failoverPriority.length ?? 0) > 0;
    const labels = asksForLabels ? feed.labelsRevision : 0;
    const made = this.#madeOf;
    if (made?.self === self && made.revision === revision && made.labels === labels) return;
    this.#madeOf = { self, revision, labels };
    // Those that are there from the beginning have nothing to warm up against.
    const addedMs = this.#isNew ? Number.NEGATIVE_INFINITY : nowMs;
    this.#hosts = clusterHosts(state, feed, this.#scope, self, this.#hosts.byUid, addedMs);
    this.#namedHosts = undefined;
    this.#isNew = false;
    this.#outliers?.keepOnly(this.#hosts.byUid);
    this.#forgetBalancers();
  }

  #choose({ hashKey, avoid, leave }: PickRequest, nowMs: number): ClusterHost | undefined {
    const { random } = this.#deps;
    const consistent = isConsistent(this.#policy?.loadBalancer);
    const hash = consistent && hashKey !== undefined ? xxHash64(hashKey) : undefined;
    const context = { hash, nowMs, random };
    const leaves = leave !== undefined && leave.size > 0;
    const balancer = leaves ? this.#balancerWithout(leave) : this.#balancerOfAll();
    let host = balancer.pick(context);
    if (host === undefined && leaves) return this.#choose({ hashKey, avoid }, nowMs);
    // What belongs together stays together, also when it fails.
    if (host === undefined || hash !== undefined || !avoid.has(host.uid)) return host;
    for (let draws = 1; draws < AVOID_DRAWS && host !== undefined && avoid.has(host.uid); draws++) {
      host = balancer.pick(context);
    }
    if (host === undefined || !avoid.has(host.uid)) return host;
    return this.#anyBut(avoid, leave) ?? host;
  }

  /** The first of the best priority that may be used and is not to be avoided. */
  #anyBut(avoid: ReadonlySet<string>, leave: ReadonlySet<number> | undefined): ClusterHost | undefined {
    for (const [priority, level] of this.#hosts.levels.entries()) {
      if (leave?.has(priority) === true) continue;
      for (const { hosts } of level) {
        for (const { host } of hosts) if (!avoid.has(host.uid) && this.#isUsable(host)) return host;
      }
    }
    return undefined;
  }

  #balancerOfAll(): Balancer<ClusterHost> {
    this.#balancer ??= this.#makeBalancer(this.#hosts.levels);
    return this.#balancer;
  }

  /** Over the other priorities, which share all of the traffic. */
  #balancerWithout(leave: ReadonlySet<number>): Balancer<ClusterHost> {
    const id = [...leave].sort().join(' ');
    let balancer = this.#balancersWithout.get(id);
    if (balancer === undefined) {
      balancer = this.#makeBalancer(this.#hosts.levels.map((level, index) => (leave.has(index) ? NO_PARTS : level)));
      if (this.#balancersWithout.size >= MAX_PARTIAL_BALANCERS) this.#balancersWithout.clear();
      this.#balancersWithout.set(id, balancer);
    }
    return balancer;
  }

  #forgetBalancers(): void {
    this.#balancer = undefined;
    this.#balancersWithout.clear();
  }

  #makeBalancer(levels: ClusterHosts['levels']): Balancer<ClusterHost> {
    const { random } = this.#deps;
    const { loadBalancer, outlierDetection } = this.#policy ?? {};
    return new PriorityBalancer(levels, {
      panicPercent: outlierDetection?.minHealthPercent ?? DEFAULT_PANIC_PERCENT,
      isUsable: (host) => this.#isUsable(host),
      balancer: (hosts) => makeBalancer(loadBalancer, hosts, random),
      ring:
        loadBalancer?.algorithm === Algorithm.RING_HASH
          ? (parts, hosts) => this.#ring(loadBalancer, parts, hosts)
          : undefined,
    });
  }

  #ring(
    loadBalancer: LoadBalancer,
    parts: readonly HostPart<ClusterHost>[],
    hosts: () => readonly WeightedHost<ClusterHost>[],
  ): RingHashBalancer<ClusterHost> {
    let ring = this.#rings.get(parts);
    if (ring === undefined) {
      ring = makeRing(loadBalancer, hosts());
      this.#rings.set(parts, ring);
    }
    return ring;
  }

  #isUsable({ uid }: ClusterHost): boolean {
    return this.#outliers?.ejected.has(uid) !== true;
  }

  #judge({ uid }: ClusterHost, outcome: Outcome): void {
    const { byUid } = this.#hosts;
    if (this.#outliers === undefined || !byUid.has(uid)) return;
    const ejected = this.#outliers.report(uid, outcome, byUid.size, this.#deps.clock.monotonicMs());
    if (ejected) this.#forgetBalancers();
  }
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
