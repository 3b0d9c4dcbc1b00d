/**
 * The server half of one delta xDS stream as a state machine without a network: requests in, responses out
 * (facts ztunnel-wire 5.3).
 *
 * Invariants:
 * - At most one response per type waits for its ACK or NACK; changes meanwhile are merged by name.
 * - A response is at most about `maxResponseBytes`; what does not fit follows after the ACK.
 * - A NACK never stops the stream and never makes the same version be sent again.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { DeltaDiscoveryRequest } from '../../proto/gen/discovery.ts';
import { encodeResponse } from './encoded-resource.ts';
import type { LargeResponses } from './large-responses.ts';
import { type PushLoad, PushPacing } from './push-pacing.ts';
import type { ResourceStore } from './resource-store.ts';
import type { TypeReport } from './stream-registry.ts';
import { MAX_SUBSCRIBED_NAMES, TypeSubscription } from './type-subscription.ts';

/** Plain counters, read when scraped. */
export interface DeltaServerStats {
  streams: number;
  pushes: number;
  resourcesSent: number;
  rejects: number;
  /** By type URL. */
  readonly pushesOfType: Map<string, number>;
  readonly rejectsOfType: Map<string, number>;
  /** Told with each push of a change: how long it waited from the store to the stream, in milliseconds. */
  onConverged: (waitedMs: number) => void;
}

export interface DeltaStreamDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: DeltaServerStats;
  /** Of all streams of the process. */
  readonly load: PushLoad;
  /** Of all streams of the process. */
  readonly large: LargeResponses;
  /** By type URL. */
  readonly stores: ReadonlyMap<string, ResourceStore>;
  /** Sends a DeltaDiscoveryResponse, encoded; `left` is called when it is on its way. @returns false when the client is slow: nothing more is sent until `drained` */
  readonly send: (response: Buffer, left: () => void) => boolean;
  /** Ends a stream that asks for more than it may. */
  readonly fail: (reason: string) => void;
}

export interface DeltaStreamOptions {
  /** Default 2 MiB: well below the 4 MiB that gRPC clients take unless told otherwise. */
  readonly maxResponseBytes?: number;
}

interface TypeState {
  readonly store: ResourceStore;
  readonly subscription: TypeSubscription;
  readonly pacing: PushPacing;
  readonly unsubscribe: () => void;
  /** Sends what is due, if anything is. */
  readonly flush: () => void;
  /** The last response has left, or never will. */
  left: () => void;
  /** The response that waits for its ACK; empty when none does. */
  awaitedNonce: string;
  /** For people who ask, see `TypeReport`. */
  readonly seen: { sent: number; sentMs?: number; acknowledged: number; acknowledgedMs?: number; error: string };
  timer: Timer | undefined;
  /** When the oldest change that was not sent came; undefined when all were. */
  changedMs: number | undefined;
  /** Since when what it refers to goes first; undefined when nothing does. */
  heldMs: number | undefined;
}

/** What a client does not take in this time does not hold back what refers to it. */
const MAX_HOLD_MS = 1000;

/**
 * Proxies take pods as soon as they have one answer of each type, and delta xDS has no mark for "that was all": a first
 * answer in parts would leave them with destinations and policies they do not know yet, and traffic to those in
 * plaintext. So an answer is whole up to what every client accepts (200 MiB, facts ztunnel-wire 5.1).
 */
const DEFAULT_MAX_RESPONSE_BYTES = 160 * 1024 * 1024;
const MAX_LOGGED_NACK = 2000;

/** A new set of counters, all zero. */
export function createDeltaServerStats(): DeltaServerStats {
  return {
    streams: 0,
    pushes: 0,
    resourcesSent: 0,
    rejects: 0,
    pushesOfType: new Map(),
    rejectsOfType: new Map(),
    onConverged: () => undefined,
  };
}

/** One stream. `close` releases it. */
export class DeltaStream {
  readonly #deps: DeltaStreamDeps;
  readonly #maxResponseBytes: number;
  readonly #types = new Map<string, TypeState>();
  #nonce = 0;
  #blocked = false;
  #closed = false;

  constructor(options: DeltaStreamOptions, deps: DeltaStreamDeps) {
    this.#deps = deps;
    this.#maxResponseBytes = options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    deps.stats.streams++;
  }

  /** Takes a request: a subscription, an ACK, a NACK, or several of these at once. */
  onRequest(request: DeltaDiscoveryRequest): void {
    if (this.#closed) return;
    const store = this.#deps.stores.get(request.typeUrl);
    if (store === undefined) {
      this.#deps.logger.debug('subscription to an unknown type is ignored', { type: request.typeUrl });
      return;
    }
    const state = this.#types.get(request.typeUrl) ?? this.#open(store);
    if (request.errorDetail !== undefined) this.#noteReject(request);
    if (request.responseNonce !== '' && request.responseNonce === state.awaitedNonce) {
      state.awaitedNonce = '';
      state.seen.acknowledged = Number(request.responseNonce);
      state.seen.acknowledgedMs = this.#deps.clock.nowMs();
      state.seen.error = request.errorDetail?.message.slice(0, MAX_LOGGED_NACK) ?? '';
    }
    if (!state.subscription.apply(request)) {
      this.#deps.fail(`more than ${MAX_SUBSCRIBED_NAMES} names subscribed`);
      return;
    }
    if (state.subscription.isUrgent) this.#flush(state);
    else this.#schedule(state);
  }

  /** What the client has of each type that it asked for. */
  report(): TypeReport[] {
    return [...this.#types.values()].map(({ store, subscription, awaitedNonce, seen }) => ({
      typeUrl: store.typeUrl,
      state: awaitedNonce !== '' || subscription.isDue ? 'STALE' : seen.error === '' ? 'SYNCED' : 'ERROR',
      sent: seen.sent,
      acknowledged: seen.acknowledged,
      sentMs: seen.sentMs,
      acknowledgedMs: seen.acknowledgedMs,
      pending: subscription.pendingCount,
      error: seen.error,
    }));
  }

  /** The transport takes data again. */
  drained(): void {
    this.#blocked = false;
    for (const state of this.#types.values()) this.#flush(state);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.stats.streams--;
    for (const state of this.#types.values()) {
      state.unsubscribe();
      state.timer?.cancel();
      this.#deps.large.forget(state.flush);
      state.left();
    }
    this.#types.clear();
  }

  #open(store: ResourceStore): TypeState {
    const subscription = new TypeSubscription(store);
    const state: TypeState = {
      store,
      subscription,
      pacing: new PushPacing(this.#deps.load),
      unsubscribe: store.subscribe((changes) => {
        subscription.noteChanges(changes);
        if (subscription.isDue) state.changedMs ??= this.#deps.clock.monotonicMs();
        this.#schedule(state);
      }),
      flush: () => this.#flush(state),
      left: () => undefined,
      awaitedNonce: '',
      seen: { sent: 0, acknowledged: 0, error: '' },
      timer: undefined,
      changedMs: undefined,
      heldMs: undefined,
    };
    this.#types.set(store.typeUrl, state);
    return state;
  }

  #schedule(state: TypeState): void {
    if (state.timer !== undefined || !state.subscription.isDue || state.awaitedNonce !== '') return;
    const delayMs = state.pacing.delayMs(this.#deps.clock.monotonicMs());
    if (delayMs <= 0) {
      this.#flush(state);
      return;
    }
    state.timer = this.#deps.clock.after(delayMs, () => {
      state.timer = undefined;
      this.#flush(state);
    });
  }

  #flush(state: TypeState): void {
    if (this.#closed || this.#blocked || state.awaitedNonce !== '' || this.#isHeld(state)) return;
    const { stats, clock, send, large } = this.#deps;
    if (!large.admits(state.subscription.pendingCount, state.flush)) return;
    const batch = state.subscription.take(this.#maxResponseBytes);
    if (batch === undefined) return;
    const nonce = String(++this.#nonce);
    state.awaitedNonce = nonce;
    state.seen.sent = this.#nonce;
    state.seen.sentMs = this.#deps.clock.nowMs();
    stats.pushes++;
    addOne(stats.pushesOfType, state.store.typeUrl);
    stats.resourcesSent += batch.resources.length;
    const response = encodeResponse(state.store.typeUrl, nonce, batch.resources, batch.removed);
    state.left = large.sent(response.length);
    const accepted = send(response, state.left);
    const endMs = clock.monotonicMs();
    state.pacing.pushed(endMs);
    if (!accepted) this.#blocked = true;
    if (state.changedMs !== undefined) stats.onConverged(endMs - state.changedMs);
    state.changedMs = undefined;
    for (const other of this.#types.values()) {
      if (other.heldMs === undefined) continue;
      other.timer?.cancel();
      other.timer = undefined;
      this.#schedule(other);
    }
  }

  /** Whether something that its resources may refer to has to go first: no subset is named before it is known. */
  #isHeld(state: TypeState): boolean {
    const { clock } = this.#deps;
    const isBehind = state.store.follows.some((typeUrl) => this.#types.get(typeUrl)?.subscription.isDue === true);
    if (!isBehind || !state.subscription.isDue || state.subscription.isUrgent) {
      state.heldMs = undefined;
      return false;
    }
    state.heldMs ??= clock.monotonicMs();
    const leftMs = state.heldMs + MAX_HOLD_MS - clock.monotonicMs();
    if (leftMs <= 0) return false;
    state.timer ??= clock.after(leftMs, () => {
      state.timer = undefined;
      this.#flush(state);
    });
    return true;
  }

  #noteReject(request: DeltaDiscoveryRequest): void {
    this.#deps.stats.rejects++;
    addOne(this.#deps.stats.rejectsOfType, request.typeUrl);
    this.#deps.logger.warn('client rejected resources; it keeps their former state', {
      type: request.typeUrl,
      nonce: request.responseNonce,
      reason: request.errorDetail?.message.slice(0, MAX_LOGGED_NACK),
    });
  }
}

function addOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
