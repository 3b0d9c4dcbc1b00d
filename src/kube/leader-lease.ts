/**
 * One leader among several replicas, by a Lease (semantics of client-go's leader election).
 *
 * Invariants:
 * - A lease counts as expired by one's own clock only: from when its record was last seen to change.
 * - Leadership ends at the renew deadline even while a request hangs, so before another replica may take over.
 * - `started` and `stopped` alternate, `started` first.
 */
import { type Clock, sleep, type Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { LEASES } from './resource-kind.ts';

export interface LeaderLeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process, for example the name of its pod. */
  readonly identity: string;
  /** How long a silent leader keeps the lease. Default 15 s */
  readonly leaseDurationMs?: number;
  /** How long a leader may fail to renew before it steps down; less than the duration. Default 10 s */
  readonly renewDeadlineMs?: number;
  /** Between tries, stretched by up to a fifth. Default 2 s */
  readonly retryPeriodMs?: number;
}

export interface LeaderLeaseDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface LeaderCallbacks {
  started(): void;
  stopped(): void;
}

type State = { readonly kind: 'follower' } | { readonly kind: 'leader'; readonly deadline: Timer };

interface LeaseRecord {
  readonly holder: string;
  readonly durationMs: number;
  readonly renewTime: string;
  readonly acquireTime: string;
  readonly transitions: number;
}

const JITTER = 0.2;

export class LeaderLease {
  readonly #options: Required<LeaderLeaseOptions>;
  readonly #deps: LeaderLeaseDeps;
  readonly #callbacks: LeaderCallbacks;
  readonly #stopping = new AbortController();
  #state: State = { kind: 'follower' };
  #running: Promise<void> | undefined;
  /** The lease as last seen, and when it was first seen so. */
  #seen: { readonly record: LeaseRecord; readonly sinceMs: number } | undefined;
  #lastFailure = '';

  constructor(options: LeaderLeaseOptions, deps: LeaderLeaseDeps, callbacks: LeaderCallbacks) {
    this.#options = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000, ...options };
    this.#deps = deps;
    this.#callbacks = callbacks;
  }

  get isLeader(): boolean {
    return this.#state.kind === 'leader';
  }

  /** Who holds the lease, as last seen; empty when nobody is known to. */
  get holder(): string {
    return this.#seen?.record.holder ?? '';
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Steps down and gives the lease back, so that another replica need not wait. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#state.kind !== 'leader') return;
    this.#setState({ kind: 'follower' });
    await this.#release();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, random } = this.#deps;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      const held = await this.#acquireOrRenew();
      if (held) this.#renewed(startMs);
      else if (this.#state.kind === 'leader' && this.#isHeldByOther()) this.#setState({ kind: 'follower' });
      await sleep(clock, this.#options.retryPeriodMs * (1 + random() * JITTER), signal);
    }
  }

  /** @param startMs before the request was sent: others count from later than that */
  #renewed(startMs: number): void {
    const { clock } = this.#deps;
    const leftMs = startMs + this.#options.renewDeadlineMs - clock.monotonicMs();
    if (leftMs <= 0 || this.#stopping.signal.aborted) return;
    const deadline = clock.after(leftMs, () => this.#setState({ kind: 'follower' }));
    this.#setState({ kind: 'leader', deadline });
  }

  #setState(next: State): void {
    const previous = this.#state;
    if (previous.kind === 'leader') previous.deadline.cancel();
    this.#state = next;
    if (previous.kind === next.kind) return;
    const fields = { lease: this.#options.name, identity: this.#options.identity };
    this.#deps.logger.info(next.kind === 'leader' ? 'leadership gained' : 'leadership ended', fields);
    if (next.kind === 'leader') this.#callbacks.started();
    else this.#callbacks.stopped();
  }

  async #acquireOrRenew(): Promise<boolean> {
    const { client, clock } = this.#deps;
    const { namespace, name, identity } = this.#options;
    const timeout = { timeoutMs: this.#options.renewDeadlineMs / 2 };
    const found = await client.get(LEASES, namespace, name, timeout);
    if (!found.ok) return found.error.isNotFound ? this.#create() : this.#failed(found.error);
    const record = readRecord(found.value);
    if (this.#seen === undefined || !sameRecord(this.#seen.record, record)) {
      this.#seen = { record, sinceMs: clock.monotonicMs() };
    }
    const isMine = record.holder === identity;
    const isFree = record.holder === '' || clock.monotonicMs() >= this.#seen.sinceMs + record.durationMs;
    if (!isMine && !isFree) return false;
    const spec = this.#spec(isMine ? record.acquireTime : undefined, record.transitions + (isMine ? 0 : 1));
    const body = { ...found.value, spec: { ...fieldsOf(found.value['spec']), ...spec } };
    return this.#wrote(await client.replace(LEASES, namespace, name, body, timeout));
  }

  async #create(): Promise<boolean> {
    const { namespace, name } = this.#options;
    const body = { metadata: { name, namespace }, spec: this.#spec(undefined, 0) };
    return this.#wrote(
      await this.#deps.client.create(LEASES, namespace, body, { timeoutMs: this.#options.renewDeadlineMs / 2 }),
    );
  }

  #wrote(answer: Awaited<ReturnType<KubeClient['replace']>>): boolean {
    if (!answer.ok) {
      // Another replica was faster; its record is seen at the next try.
      return answer.error.status === 409 ? false : this.#failed(answer.error);
    }
    this.#lastFailure = '';
    this.#seen = { record: readRecord(answer.value), sinceMs: this.#deps.clock.monotonicMs() };
    return true;
  }

  #isHeldByOther(): boolean {
    const holder = this.holder;
    return holder !== '' && holder !== this.#options.identity;
  }

  #failed(error: KubeError): false {
    const fields = { lease: this.#options.name, reason: error.message };
    if (error.message === this.#lastFailure) this.#deps.logger.debug('lease not renewed', fields);
    else this.#deps.logger.warn('lease not renewed', fields);
    this.#lastFailure = error.message;
    return false;
  }

  async #release(): Promise<void> {
    const { client } = this.#deps;
    const { namespace, name, identity } = this.#options;
    const timeout = { timeoutMs: this.#options.retryPeriodMs };
    const found = await client.get(LEASES, namespace, name, timeout);
    if (!found.ok || readRecord(found.value).holder !== identity) return;
    const spec = { ...fieldsOf(found.value['spec']), holderIdentity: '', leaseDurationSeconds: 1 };
    await client.replace(LEASES, namespace, name, { ...found.value, spec }, timeout);
  }

  #spec(acquireTime: string | undefined, transitions: number): object {
    const now = microTime(this.#deps.clock.nowMs());
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#options.leaseDurationMs / 1000),
      acquireTime: acquireTime ?? now,
      renewTime: now,
      leaseTransitions: transitions,
    };
  }
}

function readRecord(lease: KubeObject): LeaseRecord {
  const spec = fieldsOf(lease['spec']);
  const text = (name: string) => (typeof spec[name] === 'string' ? spec[name] : '');
  const number = (name: string) => (typeof spec[name] === 'number' ? spec[name] : 0);
  const now = text('renewTime');
  return {
    holder: text('holderIdentity'),
    durationMs: number('leaseDurationSeconds') * 1000,
    renewTime: now,
    acquireTime: text('acquireTime') || now,
    transitions: number('leaseTransitions'),
  };
}

function sameRecord(a: LeaseRecord, b: LeaseRecord): boolean {
  return a.holder === b.holder && a.renewTime === b.renewTime && a.transitions === b.transitions;
}

/** RFC 3339 with six digits, as the API server wants it for leases. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
