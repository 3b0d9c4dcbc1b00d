/**
 * One ztunnel on the ZDS socket, seen from the agent (facts ztunnel-wire 3.1 to 3.3).
 *
 * Invariants:
 * - nothing is sent before the hello was read;
 * - at most one message is unanswered; the others wait in order;
 * - a message that is not answered within the deadline ends the connection, and with it every waiting message;
 * - a refusal (NACK) ends only the message it answers.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { SeqpacketMessage } from '../native/addon.ts';
import { MAX_PACKET_BYTES, type SeqpacketConnection } from '../native/seqpacket.ts';
import { closeFd } from '../native/sockets.ts';
import { Version, WorkloadRequest, WorkloadResponse, ZdsHello } from '../proto/gen/zds.ts';

export type ZdsErrorCode = 'ZDS_NO_CONNECTION' | 'ZDS_CLOSED' | 'ZDS_TIMEOUT' | 'ZDS_REFUSED' | 'ZDS_PROTOCOL';

/** Read and write deadline of one message. */
export const ZDS_DEADLINE_MS = 5000;

export type ZdsPayload = NonNullable<WorkloadRequest['payload']>;

/** Gives the descriptor when the message is sent; undefined drops the message, because its subject is gone. */
export type PassedFd = () => number | undefined;

interface PendingRequest {
  readonly bytes: Uint8Array;
  readonly fd: PassedFd | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

type State =
  | { readonly kind: 'awaiting-hello' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'awaiting-ack'; readonly request: PendingRequest }
  | { readonly kind: 'closed'; readonly error: Error };

export interface ZdsConnectionDeps {
  readonly clock: Clock;
  /** The hello was read: the snapshot can be queued. */
  readonly onHello: () => void;
  readonly onClosed: (error: Error) => void;
}

/** The agent's half of one ZDS connection. */
export class ZdsConnection {
  readonly #connection: SeqpacketConnection;
  readonly #deps: ZdsConnectionDeps;
  readonly #queue: PendingRequest[] = [];
  #state: State = { kind: 'awaiting-hello' };
  #deadline: Timer | undefined;

  constructor(connection: SeqpacketConnection, deps: ZdsConnectionDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#setState({ kind: 'awaiting-hello' });
    connection.start({
      onPacket: (message) => this.#onPacket(message),
      onEnd: (error) => this.#close(error ?? zdsError('ZDS_CLOSED', 'ztunnel closed the connection')),
    });
  }

  /**
   * Sends one message when its turn comes, and waits for the answer.
   * @param fd asked for the descriptor to pass when the message's turn has come
   * @throws AmbitError ZDS_REFUSED with ztunnel's text, ZDS_TIMEOUT, ZDS_CLOSED
   */
  request(payload: ZdsPayload, fd?: PassedFd): Promise<void> {
    const bytes = WorkloadRequest.encode({ payload }).finish();
    if (bytes.length > MAX_PACKET_BYTES) {
      const text = `message of ${bytes.length} bytes does not fit a packet of ${MAX_PACKET_BYTES}: names are too long`;
      return Promise.reject(zdsError('ZDS_PROTOCOL', text));
    }
    if (this.#state.kind === 'closed') return Promise.reject(this.#state.error);
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, fd, resolve, reject });
      this.#sendNext();
    });
  }

  close(): void {
    this.#close(zdsError('ZDS_CLOSED', 'the agent closed the connection'));
  }

  #setState(state: State): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#state = state;
    if (state.kind !== 'awaiting-hello' && state.kind !== 'awaiting-ack') return;
    const what = state.kind === 'awaiting-hello' ? 'say hello' : 'answer';
    this.#deadline = this.#deps.clock.after(ZDS_DEADLINE_MS, () => {
      this.#close(zdsError('ZDS_TIMEOUT', `ztunnel did not ${what} in ${ZDS_DEADLINE_MS} ms`));
    });
  }

  #sendNext(): void {
    if (this.#state.kind !== 'idle') return;
    const request = this.#queue.shift();
    if (request === undefined) return;
    const fd = request.fd?.();
    if (request.fd !== undefined && fd === undefined) {
      request.resolve();
      this.#sendNext();
      return;
    }
    this.#setState({ kind: 'awaiting-ack', request });
    this.#connection.send(request.bytes, fd).catch((error: Error) => this.#close(error));
  }

  #onPacket({ bytes, fds }: SeqpacketMessage): void {
    for (const fd of fds) closeFd(fd);
    try {
      if (fds.length > 0) throw zdsError('ZDS_PROTOCOL', 'ztunnel sent a descriptor');
      if (this.#state.kind === 'awaiting-hello') this.#onHello(bytes);
      else this.#onResponse(bytes);
    } catch (error) {
      this.#close(error instanceof AmbitError ? error : zdsError('ZDS_PROTOCOL', `bad packet: ${errorText(error)}`));
    }
  }

  #onHello(bytes: Uint8Array): void {
    const { version } = ZdsHello.decode(bytes);
    if (version !== Version.V1) throw zdsError('ZDS_PROTOCOL', `ztunnel speaks ZDS version ${version}, not 1`);
    this.#setState({ kind: 'idle' });
    this.#deps.onHello();
  }

  #onResponse(bytes: Uint8Array): void {
    const { payload } = WorkloadResponse.decode(bytes);
    if (payload === undefined) throw zdsError('ZDS_PROTOCOL', 'an answer without content');
    if (this.#state.kind !== 'awaiting-ack') throw zdsError('ZDS_PROTOCOL', 'an answer that nobody waits for');
    const { request } = this.#state;
    this.#setState({ kind: 'idle' });
    const { error } = payload.ack;
    if (error === '') request.resolve();
    else request.reject(zdsError('ZDS_REFUSED', `ztunnel refused: ${error}`));
    this.#sendNext();
  }

  #close(error: Error): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#setState({ kind: 'closed', error });
    this.#connection.close();
    if (state.kind === 'awaiting-ack') state.request.reject(error);
    for (const request of this.#queue.splice(0)) request.reject(error);
    this.#deps.onClosed(error);
  }
}

/** An error of the hand-off; ztunnel is the upstream of the agent. */
export function zdsError(code: ZdsErrorCode, message: string): AmbitError<ZdsErrorCode> {
  return new AmbitError(code, message, { side: 'upstream', retry: 'idempotent' });
}
