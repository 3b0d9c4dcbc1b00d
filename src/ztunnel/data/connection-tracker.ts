/**
 * The open connections of a data thread: for the configuration dump, for drain, and for policies that change under them.
 *
 * Invariants:
 * - A connection is in the tracker from before its first byte until after its last, and its end is reported once.
 * - A push that denies an open inbound connection ends it at once (facts ztunnel-wire 8.5). The question is put to the
 *   workload as it is now, so a policy that was attached later counts too.
 */
import type { AuthorizationInput } from '../../authz/evaluate.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { type MetricFamily, renderLabels } from '../../telemetry/exposition.ts';

/** A connection as the configuration dump prints it. */
export interface ConnectionSummary {
  readonly direction: 'inbound' | 'outbound';
  readonly src: string;
  readonly originalDst: string;
  readonly actualDst: string;
  readonly protocol: 'HBONE' | 'TCP';
}

/** What the policies of an inbound connection are asked with. */
export interface TrackedAuthorization {
  readonly workloadUid: string;
  readonly input: AuthorizationInput;
}

export interface TrackedConnection {
  readonly podUid: string;
  readonly summary: ConnectionSummary;
  /** Undefined for outbound connections: their destination decides. */
  readonly authorization: TrackedAuthorization | undefined;
  /** The tunnel peer's certificates as a revocation list names them. */
  readonly peerKeys: readonly string[] | undefined;
  /** Ends both sides now, for this reason. */
  abort(error: ProxyError): void;
}

export class ConnectionTracker {
  readonly #connections = new Set<TrackedConnection>();
  #onEmpty: (() => void)[] = [];

  get size(): number {
    return this.#connections.size;
  }

  add(connection: TrackedConnection): void {
    this.#connections.add(connection);
  }

  remove(connection: TrackedConnection): void {
    if (!this.#connections.delete(connection) || this.#connections.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** The gauge of open connections by the side that this proxy is on (facts ztunnel-wire 11.1). */
  families(): MetricFamily[] {
    let outbound = 0;
    for (const { summary } of this.#connections) if (summary.direction === 'outbound') outbound++;
    const sample = (reporter: string, value: number) => ({ labels: renderLabels([['reporter', reporter]]), value });
    const samples = [sample('source', outbound), sample('destination', this.#connections.size - outbound)];
    return [
      { name: 'istio_tcp_sockets_open', help: 'Number of open TCP connections (unstable).', type: 'gauge', samples },
    ];
  }

  /** Ends every connection that the policies in force now deny. */
  recheck(state: MeshState): void {
    for (const connection of [...this.#connections]) {
      const { authorization } = connection;
      const workload = authorization && state.workload(authorization.workloadUid);
      if (authorization === undefined || workload === undefined) continue;
      const { decision } = state.policiesFor(workload).inForce.authorize(authorization.input);
      if (!decision.allowed) connection.abort(proxyError('POLICY_CHANGED', 'connection closed due to policy change'));
    }
  }

  /** Ends every connection through a tunnel whose peer `isRevoked`. */
  abortRevoked(isRevoked: (peerKeys: readonly string[]) => boolean, error: () => ProxyError): void {
    for (const connection of [...this.#connections]) {
      if (connection.peerKeys !== undefined && isRevoked(connection.peerKeys)) connection.abort(error());
    }
  }

  /** Ends every connection, or those of one pod. */
  abortAll(error: ProxyError, podUid?: string): void {
    for (const connection of [...this.#connections]) {
      if (podUid === undefined || connection.podUid === podUid) connection.abort(error);
    }
  }

  /** Resolves once no connection is open. */
  whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  *ofPod(podUid: string): IterableIterator<ConnectionSummary> {
    for (const connection of this.#connections) if (connection.podUid === podUid) yield connection.summary;
  }
}
