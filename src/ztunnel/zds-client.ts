/** ztunnel's side of the hand-off of pods: one packet, one answer (facts ztunnel-wire 3). */
import { Backoff } from '../base/backoff.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { SeqpacketMessage } from '../native/addon.ts';
import { SeqpacketConnection } from '../native/seqpacket.ts';
import { Version, WorkloadRequest, WorkloadResponse, ZdsHello } from '../proto/gen/zds.ts';
import type { PodManager, PodRequest, PodRequestOutcome } from './pod-manager.ts';

export interface ZdsClientDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly pods: PodManager;
  closeFd(fd: number): void;
  /** The agent broke the protocol: the process has to drain and exit. */
  onProtocolError(message: string): void;
}

const HELLO = ZdsHello.encode({ version: Version.V1 }).finish();

export class ZdsClient {
  readonly #path: string;
  readonly #deps: ZdsClientDeps;
  readonly #stopped = new AbortController();
  #connection: SeqpacketConnection | undefined;

  constructor(path: string, deps: ZdsClientDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  /** Connects and reconnects until `stop`. */
  async run(): Promise<void> {
    const { clock, random, logger } = this.#deps;
    const backoff = new Backoff({ initialMs: 10, maxMs: 15_000, jitter: 0.2, random });
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#session(() => backoff.reset());
        logger.info('agent disconnected');
      } catch (error) {
        logger.debug('agent not reachable', { path: this.#path, error: errorText(error) });
      }
      this.#deps.pods.disconnected();
      await sleep(clock, backoff.next(), this.#stopped.signal);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#connection?.close();
  }

  async #session(onAlive: () => void): Promise<void> {
    const connection = SeqpacketConnection.connect(this.#path);
    this.#connection = connection;
    const queue: SeqpacketMessage[] = [];
    let busy = false;
    const ended = new Promise<void>((resolve) => {
      const drainQueue = async () => {
        if (busy) return;
        busy = true;
        for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
          await this.#receive(connection, message);
          onAlive();
        }
        busy = false;
      };
      connection.start({
        onPacket: (message) => {
          queue.push(message);
          void drainQueue();
        },
        onEnd: () => resolve(),
      });
    });
    try {
      await connection.send(HELLO);
      this.#deps.pods.connected();
      await ended;
    } finally {
      connection.close();
      for (const message of queue) for (const fd of message.fds) this.#deps.closeFd(fd);
    }
  }

  async #receive(connection: SeqpacketConnection, message: SeqpacketMessage): Promise<void> {
    const request = this.#decode(message);
    const outcome: PodRequestOutcome =
      typeof request === 'string'
        ? { kind: 'refused', message: `failure to read message : ${request}`, next: 'reconnect' }
        : await this.#deps.pods.handle(request);
    const error = outcome.kind === 'ok' ? '' : outcome.message;
    try {
      await connection.send(WorkloadResponse.encode({ payload: { $case: 'ack', ack: { error } } }).finish());
    } catch (failure) {
      this.#deps.logger.warn('agent did not take an answer', { error: errorText(failure) });
      connection.close();
    }
    if (outcome.kind === 'ok' || outcome.next === 'continue') return;
    this.#deps.logger.error('agent request refused', { error });
    if (outcome.next === 'exit') this.#deps.onProtocolError(error);
    connection.close();
  }

  /** The request, or what is wrong with the packet. Descriptors that no request takes are closed. */
  #decode({ bytes, fds }: SeqpacketMessage): PodRequest | string {
    const decoded = decodeRequest(bytes, fds[0]);
    const takesFd = typeof decoded !== 'string' && decoded.kind === 'add' && fds.length === 1;
    if (takesFd) return decoded;
    for (const fd of fds) this.#deps.closeFd(fd);
    if (fds.length > 0)
      return fds.length > 1 ? 'more than one descriptor' : 'a descriptor on a message that takes none';
    return decoded;
  }
}

function decodeRequest(bytes: Uint8Array, netnsFd: number | undefined): PodRequest | string {
  let payload: WorkloadRequest['payload'];
  try {
    ({ payload } = WorkloadRequest.decode(bytes));
  } catch (error) {
    return errorText(error);
  }
  switch (payload?.$case) {
    case 'add': {
      const { uid, workloadInfo } = payload.add;
      return { kind: 'add', uid, info: workloadInfo, netnsFd };
    }
    case 'keep':
      return { kind: 'keep', uid: payload.keep.uid };
    case 'del':
      return { kind: 'del', uid: payload.del.uid };
    case 'snapshotSent':
      return { kind: 'snapshot-sent' };
    default:
      return 'no payload';
  }
}
