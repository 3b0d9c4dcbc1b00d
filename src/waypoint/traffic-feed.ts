/** Policies of traffic, and the labels of endpoints that they ask for, as the control plane feeds them. */
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { type Service, serviceKey } from '../model/service.ts';
import { TRAFFIC_POLICIES_TYPE, trafficPoliciesName, WORKLOAD_LABELS_TYPE } from '../model/waypoint-feed.ts';
import { TrafficPolicies, type TrafficPolicy, WorkloadLabels } from '../proto/gen/ambit.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';

type ReadonlyLabels = ReadonlyMap<string, string>;

const NO_LABELS: ReadonlyLabels = new Map();

/** Labels of a subset or an endpoint that the feed has no more. */
interface Gone {
  readonly labels: ReadonlyLabels;
  readonly sinceMs: number;
}

/** Routes and traffic policies come apart: for so long the former may name what the latter no longer have. */
const GRACE_MS = 5000;

export class TrafficFeed {
  /** Where this waypoint is. */
  readonly #namespace: string;
  readonly #policies = new Map<string, TrafficPolicies>();
  readonly #labels = new Map<string, ReadonlyLabels>();
  #policiesRevision = 0;
  #labelsRevision = 0;

  /** By service and name of the subset, or by uid of the endpoint. */
  readonly #gone = new Map<string, Gone>();
  readonly #clock: Clock;

  constructor(namespace: string, clock: Clock) {
    this.#namespace = namespace;
    this.#clock = clock;
  }

  /** Changes with the policies. */
  get policiesRevision(): number {
    return this.#policiesRevision;
  }

  /** Changes with the labels. */
  get labelsRevision(): number {
    return this.#labelsRevision;
  }

  handlers(): readonly ResourceHandler[] {
    return [
      {
        typeUrl: TRAFFIC_POLICIES_TYPE,
        onDemand: false,
        apply: (resources, removed) => {
          this.#policiesRevision += 1;
          this.#noteGone([...removed, ...resources.map(({ name }) => name)]);
          return replaced(this.#policies, resources, removed, (bytes) => TrafficPolicies.decode(bytes));
        },
      },
      {
        typeUrl: WORKLOAD_LABELS_TYPE,
        onDemand: false,
        apply: (resources, removed) => {
          this.#labelsRevision += 1;
          this.#forgetGone();
          for (const uid of removed) this.#keep(uid, this.#labels.get(uid));
          return replaced(this.#labels, resources, removed, (bytes) => WorkloadLabels.decode(bytes).labels);
        },
      },
    ];
  }

  /** The labels of an endpoint, as far as some policy asks for them. */
  labels(uid: string): ReadonlyLabels {
    return this.#labels.get(uid) ?? this.#recent(uid) ?? NO_LABELS;
  }

  /** The policy of a port and subset: both named, else the subset, else the port, else neither. */
  policy(service: Service, port: number, subset: string): TrafficPolicy | undefined {
    const policies = this.of(service)?.policies;
    if (policies === undefined) return undefined;
    const find = (wantedPort: number, wantedSubset: string) =>
      policies.find((policy) => policy.port === wantedPort && policy.subset === wantedSubset);
    const ofSubset = subset === '' ? undefined : (find(port, subset) ?? find(0, subset));
    return ofSubset ?? find(port, '') ?? find(0, '');
  }

  /** The labels that endpoints of the subset have; undefined when there is no such subset. */
  subset(service: Service, name: string): ReadonlyLabels | undefined {
    const known = this.of(service)?.subsets.find((subset) => subset.name === name)?.labels;
    return known ?? this.#recent(subsetKey(service, name));
  }

  #noteGone(changed: readonly string[]): void {
    this.#forgetGone();
    for (const name of changed) {
      const before = this.#policies.get(name);
      for (const subset of before?.subsets ?? []) if (before) this.#keep(subsetKey(before, subset.name), subset.labels);
    }
  }

  #keep(key: string, labels: ReadonlyLabels | undefined): void {
    if (labels !== undefined) this.#gone.set(key, { labels, sinceMs: this.#clock.monotonicMs() });
  }

  #recent(key: string): ReadonlyLabels | undefined {
    const gone = this.#gone.get(key);
    return gone !== undefined && this.#clock.monotonicMs() - gone.sinceMs < GRACE_MS ? gone.labels : undefined;
  }

  #forgetGone(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { sinceMs }] of this.#gone) if (nowMs - sinceMs >= GRACE_MS) this.#gone.delete(key);
  }

  /** All that is said of a service for this waypoint; the same object for as long as nothing of it changes. */
  of(service: Service): TrafficPolicies | undefined {
    const { namespace, hostname } = service;
    const own = this.#policies.get(trafficPoliciesName(this.#namespace, namespace, hostname));
    return own ?? this.#policies.get(trafficPoliciesName('', namespace, hostname));
  }
}

function subsetKey(service: Pick<Service, 'namespace' | 'hostname'>, subset: string): string {
  return `${serviceKey(service)} ${subset}`;
}

function replaced<T>(
  held: Map<string, T>,
  resources: readonly ReceivedResource[],
  removed: readonly string[],
  decode: (bytes: Uint8Array) => T,
): readonly RefusedResource[] {
  const refused: RefusedResource[] = [];
  for (const name of removed) held.delete(name);
  for (const { name, bytes } of resources) {
    try {
      held.set(name, decode(bytes));
    } catch (error) {
      refused.push({ name, reason: `it cannot be decoded: ${errorText(error)}` });
    }
  }
  return refused;
}
