/**
 * The certificates of the node's workloads (facts ztunnel-wire 10.2).
 *
 * Invariants:
 * - At most one request per identity is in flight, and at most `MAX_IN_FLIGHT` in all; those that a connection waits for
 *   go first, then those of known pods, then renewals.
 * - Certificates of one node trust the same roots: when one comes with others than before, all are asked for again.
 * - A valid certificate is kept and used while its renewal fails, until it expires.
 * - Only identities between `prefetch` and `forget` are renewed and asked for again after a failure. One that only a
 *   connection asked for, as happens when the last of a pod that is gone asks late, is dropped when its renewal or the
 *   next attempt would be due.
 * - After `forget` nothing of an identity is kept and no timer of it runs, until it is asked for again.
 */
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { renewAtMs, type WorkloadCertificate } from '../pki/workload-certificate.ts';
import type { CertificateSource } from '../xds/client/ca-client.ts';
import { type ProxyError, proxyError } from './proxy-error.ts';

/** Why a certificate is wanted; lower goes first. */
export const FETCH_PRIORITY = { realTime: 0, warmup: 1, background: 2 } as const;
export type FetchPriority = (typeof FETCH_PRIORITY)[keyof typeof FETCH_PRIORITY];

type CertificateResult = Result<WorkloadCertificate, ProxyError>;

/** What is known of an identity, as the configuration dump shows it. */
export type CertificateState =
  | { readonly kind: 'Initializing' }
  | { readonly kind: 'Available'; readonly certificate: WorkloadCertificate }
  | { readonly kind: 'Unavailable'; readonly error: string };

interface Entry {
  readonly identity: SpiffeId;
  readonly backoff: Backoff;
  state: CertificateState;
  /** Whether a workload of this node has the identity. */
  kept: boolean;
  /** Set while a request is queued. */
  queued: FetchPriority | undefined;
  fetching: boolean;
  /** Whether the last request failed. */
  failed: boolean;
  timer: Timer | undefined;
  /** Not before this time does a waiting connection cause another request after a failed one. */
  retryAtMs: number;
  waiters: ((result: CertificateResult) => void)[];
}

export interface CertificateManagerDeps {
  readonly source: CertificateSource;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called with every new certificate. */
  onCertificate(certificate: WorkloadCertificate): void;
  /** Called when an identity is not kept any more: nobody may hold on to its certificates. */
  onDropped(identity: SpiffeId): void;
}

const MAX_IN_FLIGHT = 8;
const RETRY = { initialMs: 1000, maxMs: 150_000, jitter: 0.2 };
/** Renewals of identities that were issued together spread over this share of the time until the renewal. */
const RENEWAL_JITTER = 0.1;
/** After a failure connections that wait may cause a request this often; otherwise the backoff decides. */
const MIN_RETRY_MS = 1000;
/** An authority whose certificates are nearly expired when they come must not make us ask without pause. */
const MIN_RENEWAL_MS = 250;

export class CertificateManager {
  readonly #deps: CertificateManagerDeps;
  readonly #entries = new Map<SpiffeId, Entry>();
  #inFlight = 0;
  /** The roots that the last certificate came with. */
  #roots = '';
  #stopped = false;

  constructor(deps: CertificateManagerDeps) {
    this.#deps = deps;
  }

  /** The certificate for a connection that waits for it: the one at hand while valid, else a new one or the reason. */
  fetch(identity: SpiffeId): Promise<CertificateResult> {
    if (this.#stopped) return Promise.resolve(fail(identityError('the proxy is shutting down')));
    const entry = this.#entry(identity);
    const { state } = entry;
    if (state.kind === 'Available' && state.certificate.notAfterMs > this.#deps.clock.nowMs()) {
      return Promise.resolve(ok(state.certificate));
    }
    if (state.kind === 'Unavailable' && !entry.fetching && entry.queued === undefined) {
      // Callers learn the reason at once; an authority that is down is not asked for every connection.
      if (this.#deps.clock.nowMs() < entry.retryAtMs) return Promise.resolve(fail(identityError(state.error)));
    }
    return new Promise((resolve) => {
      entry.waiters.push(resolve);
      this.#enqueue(entry, FETCH_PRIORITY.realTime);
    });
  }

  /** Makes sure that a pod's certificate is there before its first connection, and renewed until `forget`. */
  prefetch(identity: SpiffeId): void {
    const entry = this.#entry(identity);
    entry.kept = true;
    if (entry.state.kind === 'Initializing') this.#enqueue(entry, FETCH_PRIORITY.warmup);
  }

  /** Asks at once for what failed and would be asked for later: there is a sign that the authority is back. */
  retry(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.kept || !entry.failed) continue;
      entry.backoff.reset();
      entry.retryAtMs = 0;
      this.#enqueue(entry, entry.state.kind === 'Available' ? FETCH_PRIORITY.background : FETCH_PRIORITY.warmup);
    }
  }

  /** Drops the identity: its last workload left the node. */
  forget(identity: SpiffeId): void {
    const entry = this.#entries.get(identity);
    if (entry !== undefined) this.#drop(entry);
  }

  /** Every identity with its state. */
  *states(): IterableIterator<[SpiffeId, CertificateState]> {
    for (const [identity, { state }] of this.#entries) yield [identity, state];
  }

  stop(): void {
    this.#stopped = true;
    for (const identity of [...this.#entries.keys()]) this.forget(identity);
    this.#deps.source.close();
  }

  #entry(identity: SpiffeId): Entry {
    let entry = this.#entries.get(identity);
    if (entry === undefined) {
      const backoff = new Backoff({ ...RETRY, random: this.#deps.random });
      const state: CertificateState = { kind: 'Initializing' };
      entry = {
        identity,
        backoff,
        state,
        kept: false,
        queued: undefined,
        fetching: false,
        failed: false,
        timer: undefined,
        retryAtMs: 0,
        waiters: [],
      };
      this.#entries.set(identity, entry);
    }
    return entry;
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.identity);
    entry.timer?.cancel();
    this.#deps.onDropped(entry.identity);
    settleWaiters(entry, fail(identityError('the workload left this node')));
  }

  #enqueue(entry: Entry, priority: FetchPriority): void {
    if (entry.fetching || this.#stopped) return;
    entry.queued = Math.min(entry.queued ?? priority, priority) as FetchPriority;
    entry.timer?.cancel();
    this.#startNext();
  }

  #startNext(): void {
    while (this.#inFlight < MAX_IN_FLIGHT) {
      const next = this.#mostUrgent();
      if (next === undefined) return;
      next.queued = undefined;
      next.fetching = true;
      this.#inFlight++;
      void this.#request(next);
    }
  }

  #mostUrgent(): Entry | undefined {
    let best: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.queued !== undefined && entry.queued < (best?.queued ?? Number.POSITIVE_INFINITY)) best = entry;
    }
    return best;
  }

  async #request(entry: Entry): Promise<void> {
    let result: Result<WorkloadCertificate, string>;
    try {
      result = ok(await this.#deps.source.fetch(entry.identity));
    } catch (error) {
      result = fail(errorText(error));
    }
    this.#inFlight--;
    entry.fetching = false;
    if (this.#entries.get(entry.identity) === entry) this.#settle(entry, result);
    this.#startNext();
  }

  #settle(entry: Entry, result: Result<WorkloadCertificate, string>): void {
    const { clock, logger, onCertificate, random } = this.#deps;
    const nowMs = clock.nowMs();
    entry.failed = !result.ok;
    if (result.ok) {
      entry.backoff.reset();
      this.#setState(entry, { kind: 'Available', certificate: result.value });
      const untilHalfMs = renewAtMs(result.value, nowMs) - nowMs;
      this.#schedule(entry, Math.max(MIN_RENEWAL_MS, untilHalfMs * (1 - random() * RENEWAL_JITTER)));
      onCertificate(result.value);
      settleWaiters(entry, ok(result.value));
      this.#followRoots(result.value);
      return;
    }
    logger.warn('certificate could not be fetched', { identity: entry.identity, error: result.error });
    const delayMs = entry.backoff.next();
    entry.retryAtMs = nowMs + MIN_RETRY_MS;
    const current = entry.state.kind === 'Available' ? entry.state.certificate : undefined;
    if (current !== undefined && current.notAfterMs > nowMs) {
      this.#schedule(entry, Math.min(delayMs, current.notAfterMs - nowMs));
      settleWaiters(entry, ok(current));
      return;
    }
    this.#setState(entry, { kind: 'Unavailable', error: result.error });
    this.#schedule(entry, delayMs);
    settleWaiters(entry, fail(identityError(result.error)));
  }

  /** The authority changed: who still has its former roots would neither trust the new ones nor be trusted. */
  #followRoots({ rootsPem }: WorkloadCertificate): void {
    const roots = rootsText(rootsPem);
    if (this.#roots === roots) return;
    const first = this.#roots === '';
    this.#roots = roots;
    if (first) return;
    for (const entry of this.#entries.values()) {
      const { state } = entry;
      const differs = state.kind === 'Available' && rootsText(state.certificate.rootsPem) !== roots;
      if (entry.kept && differs) this.#enqueue(entry, FETCH_PRIORITY.background);
    }
  }

  #setState(entry: Entry, state: CertificateState): void {
    entry.state = state;
  }

  #schedule(entry: Entry, delayMs: number): void {
    entry.timer?.cancel();
    entry.timer = this.#deps.clock.after(Math.max(0, delayMs), () => {
      if (entry.kept) this.#enqueue(entry, FETCH_PRIORITY.background);
      else this.#drop(entry);
    });
  }
}

function rootsText(rootsPem: readonly string[]): string {
  return [...rootsPem].sort().join('\n');
}

function settleWaiters(entry: Entry, result: CertificateResult): void {
  const { waiters } = entry;
  entry.waiters = [];
  for (const resolve of waiters) resolve(result);
}

function identityError(reason: string): ProxyError {
  return proxyError('IDENTITY', `identity error: ${reason}`);
}
