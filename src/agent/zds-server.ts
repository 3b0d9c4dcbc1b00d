/**
 * The agent's ZDS server: hands pods to ztunnel (facts ztunnel-wire 3.1 to 3.3).
 *
 * Invariants:
 * - a connection counts once its hello was read; the snapshot of that moment is queued before any later change, so no
 *   change is lost or overtakes the snapshot;
 * - `add` goes to the newest connection, `del` to all of them (several ztunnels live during an upgrade);
 * - a dead peer is noticed at once: the end of the connection is an event;
 * - at most `ACCEPTS_PER_SEC` connections are taken per second.
 */
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type SeqpacketConnection, SeqpacketServer } from '../native/seqpacket.ts';
import { type PassedFd, ZdsConnection, zdsError } from './zds-connection.ts';

/** Accept limit of the agent. */
const ACCEPTS_PER_SEC = 5;

/** What ztunnel is told about a pod. */
export interface ZdsWorkload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * One entry of the snapshot: `keep` is a pod whose namespace the agent does not know. The descriptor is asked for when
 * the entry is sent: by then the pod may be gone (undefined) or have another namespace.
 */
export type SnapshotEntry =
  | { readonly kind: 'add'; readonly workload: ZdsWorkload; readonly netnsFd: PassedFd }
  | { readonly kind: 'keep'; readonly uid: string };

export interface ZdsServerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** The enrolled pods, called once per hello. */
  readonly snapshot: () => readonly SnapshotEntry[];
}

export class ZdsServer {
  readonly #deps: ZdsServerDeps;
  /** In order of their hellos: the newest is last. */
  readonly #connections = new Set<ZdsConnection>();
  /** Connections without a hello yet. */
  readonly #waiting = new Set<ZdsConnection>();
  readonly #server: SeqpacketServer;

  /**
   * Listens on `path`, replacing a stale socket file.
   * @throws AmbitError NATIVE_*
   */
  constructor(path: string, deps: ZdsServerDeps) {
    this.#deps = deps;
    this.#server = new SeqpacketServer(path, (connection) => this.#onConnection(connection));
  }

  /** Connections that have said hello. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Hands a pod to the newest ztunnel. The descriptor must stay open until the promise settles.
   * @throws AmbitError ZDS_NO_CONNECTION, ZDS_REFUSED, ZDS_TIMEOUT, ZDS_CLOSED
   */
  async add(workload: ZdsWorkload, netnsFd: number): Promise<void> {
    const newest = [...this.#connections].at(-1);
    if (newest === undefined) {
      throw zdsError(
        'ZDS_NO_CONNECTION',
        'no ztunnel connection: is ztunnel running on this node, and has it its feed?',
      );
    }
    await newest.request(addPayload(workload), () => netnsFd);
  }

  /** Takes a pod back from every ztunnel. One that fails has lost its connection and asks for a snapshot again. */
  async del(uid: string): Promise<void> {
    const answers = await Promise.allSettled(
      [...this.#connections].map((connection) => connection.request({ $case: 'del', del: { uid } })),
    );
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        this.#deps.log.warn('a ztunnel did not confirm that a pod is gone', { uid, error: errorText(answer.reason) });
      }
    }
  }

  /** Stops listening and ends every connection; ztunnel keeps its proxies. */
  close(): void {
    this.#server.close();
    for (const connection of [...this.#waiting, ...this.#connections]) connection.close();
  }

  #onConnection(accepted: SeqpacketConnection): void {
    this.#server.pause();
    this.#deps.clock.after(1000 / ACCEPTS_PER_SEC, () => this.#server.resume());
    const connection: ZdsConnection = new ZdsConnection(accepted, {
      clock: this.#deps.clock,
      onHello: () => {
        this.#waiting.delete(connection);
        this.#connections.add(connection);
        this.#sendSnapshot(connection);
      },
      onClosed: (error) => {
        this.#waiting.delete(connection);
        this.#connections.delete(connection);
        this.#deps.log.info('a ztunnel is gone', { error: errorText(error), connections: this.#connections.size });
      },
    });
    this.#waiting.add(connection);
  }

  /** Queues the whole snapshot at once; the connection sends it one by one. */
  #sendSnapshot(connection: ZdsConnection): void {
    const { log } = this.#deps;
    const entries = this.#deps.snapshot();
    log.info('a ztunnel connected', { pods: entries.length, connections: this.#connections.size });
    for (const entry of entries) {
      const uid = entry.kind === 'add' ? entry.workload.uid : entry.uid;
      const sent =
        entry.kind === 'add'
          ? connection.request(addPayload(entry.workload), entry.netnsFd)
          : connection.request({ $case: 'keep', keep: { uid } });
      // A refused pod stays ztunnel's to retry (facts 3.4); a lost connection begins again with a new snapshot.
      sent.catch((error: unknown) => log.warn('a pod of the snapshot was not taken', { uid, error: errorText(error) }));
    }
    connection
      .request({ $case: 'snapshotSent', snapshotSent: {} })
      .then(() => log.info('ztunnel has the snapshot', { pods: entries.length }))
      .catch((error: unknown) => log.warn('ztunnel did not take the snapshot', { error: errorText(error) }));
  }
}

function addPayload({ uid, name, namespace, serviceAccount }: ZdsWorkload) {
  return { $case: 'add' as const, add: { uid, workloadInfo: { name, namespace, serviceAccount } } };
}
