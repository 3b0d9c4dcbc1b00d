/**
 * What of the counters of a waypoint is believed. Whoever may run pods in a namespace can run one that calls itself a
 * waypoint, and counts what it likes: so it is heard about calls of its own namespace, and of others only where a ztunnel
 * saw that calls for them are sent to it.
 */
import type { EdgeReading } from './edges.ts';
import type { Labels } from './parse-exposition.ts';

export class BelievedCounters {
  /** Namespaces whose services waypoints of another one serve, by the namespace of the waypoint. */
  readonly #served = new Map<string, Set<string>>();
  readonly #mesh: ReadonlySet<string>;

  /**
   * @param ztunnels what ztunnels alone count
   * @param mesh the namespaces of ztunnels: their policies are for all
   */
  constructor(ztunnels: EdgeReading, mesh: ReadonlySet<string>) {
    this.#mesh = mesh;
    for (const { edge } of ztunnels.values()) {
      if (edge.reporter !== 'source' || edge.service.namespace === '') continue;
      const { namespace } = edge.destination;
      const served = this.#served.get(namespace) ?? new Set();
      this.#served.set(namespace, served.add(edge.service.namespace));
    }
  }

  /** Whether a waypoint's counter of calls is. @param namespace of the waypoint */
  isEdgeOf(namespace: string, labels: Labels): boolean {
    if (labels['reporter'] !== 'waypoint') return false;
    const called = ['destination_service_namespace', 'destination_workload_namespace']
      .map((name) => labels[name] ?? '')
      .filter((value) => value !== '' && value !== 'unknown');
    return called.length > 0 && called.every((other) => this.#isServed(namespace, other));
  }

  /** Whether a waypoint's counter of decisions is. @param namespace of the waypoint */
  isPolicyOf(namespace: string, labels: Labels): boolean {
    const { policy = '' } = labels;
    const owner = policy.slice(0, Math.max(0, policy.indexOf('/')));
    return policy === '' || this.#mesh.has(owner) || this.#isServed(namespace, owner);
  }

  #isServed(waypoint: string, namespace: string): boolean {
    return namespace === waypoint || this.#served.get(waypoint)?.has(namespace) === true;
  }
}
