/**
 * A kind of objects, mirrored: a list in pages, then a watch that resumes where it stopped.
 *
 * Invariants:
 * - The handler is given the complete set first (`replace`), then changes in their order.
 * - What was once given stays in force through every failure: only a list, a deletion, or a kind that is gone for
 *   good takes it away.
 * - A kind that does not exist (its CRD is not installed) counts as empty and is waited for.
 */
import { Backoff } from '../base/backoff.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient, WatchEvent } from './kube-client.ts';
import type { KubeError } from './kube-error.ts';
import { type KubeObject, withoutManagedFields } from './kube-object.ts';
import type { ResourceKind } from './resource-kind.ts';

export interface ReflectorOptions {
  readonly kind: ResourceKind;
  /** Tried in this order where the API server does not serve `kind.version`. */
  readonly olderVersions?: readonly string[];
  /** Default all. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is kept of an object; `managedFields` are gone already. */
  readonly transform?: (object: KubeObject) => KubeObject;
  /** Objects of one page. Default 500 */
  readonly pageSize?: number;
}

export interface ReflectorDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
}

export interface ReflectorHandler {
  /** The complete set, after each list. */
  replace(objects: readonly KubeObject[]): void;
  upsert(object: KubeObject): void;
  /** @param object as it was last */
  remove(object: KubeObject): void;
}

const INITIAL_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
/** As client-go: each watch ends at a time of its own between 5 and 10 minutes. */
const MIN_WATCH_SEC = 300;
/** A watch that ends sooner counts as a failure. */
const SHORT_WATCH_MS = 1000;
const ABSENT_POLL_MS = 5000;
/** A kind that was there is believed gone after so many looks. */
const GONE_AFTER_LOOKS = 3;
const DEFAULT_PAGE_SIZE = 500;
const MAX_EXPIRED_PAGES = 2;

export class Reflector {
  /** Resolves when the first list is done, or the kind is known to be absent. Never rejects. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions;
  readonly #deps: ReflectorDeps;
  readonly #handler: ReflectorHandler;
  readonly #versions: readonly string[];
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #kind: ResourceKind;
  #resolveSynced: () => void = () => undefined;
  #isSynced = false;
  #running: Promise<void> | undefined;
  #looksWithoutKind = 0;
  #wasPresent = false;
  #lastFailure = '';

  constructor(options: ReflectorOptions, deps: ReflectorDeps, handler: ReflectorHandler) {
    this.#options = options;
    this.#deps = deps;
    this.#handler = handler;
    this.#kind = options.kind;
    this.#versions = [options.kind.version, ...(options.olderVersions ?? [])];
    const { random } = deps;
    this.#backoff = new Backoff({ initialMs: INITIAL_BACKOFF_MS, maxMs: MAX_BACKOFF_MS, jitter: 0.3, random });
    this.synced = new Promise((resolve) => {
      this.#resolveSynced = resolve;
    });
  }

  get hasSynced(): boolean {
    return this.#isSynced;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the watch. The handler is not called any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const listed = await this.#listAnyVersion();
      if (signal.aborted) return;
      if (listed.ok) await this.#watchFrom(listed.value);
      else await this.#afterFailedList(listed.error);
    }
  }

  /** @returns the version where a watch continues */
  async #listAnyVersion(): Promise<Result<string, KubeError>> {
    const known = await this.#list();
    if (known.ok || !known.error.isNotFound) return known;
    for (const version of this.#versions) {
      if (version === this.#kind.version || this.#stopped.signal.aborted) continue;
      const tried = this.#kind;
      this.#kind = { ...this.#kind, version };
      const listed = await this.#list();
      if (listed.ok || !listed.error.isNotFound) return listed;
      this.#kind = tried;
    }
    return known;
  }

  async #list(): Promise<Result<string, KubeError>> {
    const { client } = this.#deps;
    const { pageSize = DEFAULT_PAGE_SIZE } = this.#options;
    let objects: KubeObject[] = [];
    let expired = 0;
    let next = '';
    for (;;) {
      const limit = expired > MAX_EXPIRED_PAGES ? {} : { limit: pageSize };
      const page = await client.list(this.#kind, { ...this.#scope(), ...limit, continue: next });
      if (this.#stopped.signal.aborted) return page.ok ? ok('') : page;
      if (!page.ok && page.error.isGone && next !== '') {
        // The list changed faster than it was read: from the start, at last in one piece.
        expired++;
        objects = [];
        next = '';
        continue;
      }
      if (!page.ok) return page;
      for (const item of page.value.items) objects.push(this.#slim(item));
      next = page.value.continue;
      if (next !== '') continue;
      this.#afterList(objects);
      return ok(page.value.resourceVersion);
    }
  }

  #afterList(objects: readonly KubeObject[]): void {
    this.#backoff.reset();
    this.#looksWithoutKind = 0;
    this.#wasPresent = true;
    if (this.#lastFailure !== '') this.#deps.logger.info('objects are read again', this.#fields());
    this.#lastFailure = '';
    this.#handler.replace(objects);
    this.#setSynced();
  }

  async #afterFailedList(error: KubeError): Promise<void> {
    const { clock } = this.#deps;
    if (!error.isNotFound) {
      this.#report('objects cannot be listed', error);
      return sleep(clock, this.#waitMs(error), this.#stopped.signal);
    }
    this.#looksWithoutKind++;
    if (!this.#wasPresent || this.#looksWithoutKind >= GONE_AFTER_LOOKS) {
      if (this.#wasPresent || !this.#isSynced) this.#handler.replace([]);
      this.#wasPresent = false;
      this.#setSynced();
    }
    await sleep(clock, ABSENT_POLL_MS * (0.75 + this.#deps.random() / 2), this.#stopped.signal);
  }

  /** Watches until the version is no longer kept, the kind is gone, or the reflector is stopped. */
  async #watchFrom(listedVersion: string): Promise<void> {
    const { client, clock, random } = this.#deps;
    const { signal } = this.#stopped;
    let resourceVersion = listedVersion;
    const onEvent = (event: WatchEvent) => {
      if (signal.aborted) return;
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
      this.#apply(event);
    };
    while (!signal.aborted) {
      const timeoutSec = Math.floor(MIN_WATCH_SEC * (1 + random()));
      const startMs = clock.monotonicMs();
      const ended = await client.watch(this.#kind, { ...this.#scope(), resourceVersion, timeoutSec }, onEvent, signal);
      if (signal.aborted) return;
      if (!ended.ok && (ended.error.isGone || ended.error.isNotFound)) {
        this.#deps.logger.debug('objects are listed again', { ...this.#fields(), reason: ended.error.reason });
        // An API server that answers every watch so must not be asked without pause.
        return sleep(clock, this.#backoff.next(), signal);
      }
      if (!ended.ok) this.#report('watch failed', ended.error);
      else if (clock.monotonicMs() - startMs >= SHORT_WATCH_MS) this.#recovered();
      const waits = !ended.ok || clock.monotonicMs() - startMs < SHORT_WATCH_MS;
      if (waits) await sleep(clock, this.#waitMs(ended.ok ? undefined : ended.error), signal);
    }
  }

  #apply(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    this.#recovered();
    const object = this.#slim(event.object);
    if (event.type === 'DELETED') this.#handler.remove(object);
    else this.#handler.upsert(object);
  }

  #recovered(): void {
    this.#backoff.reset();
    if (this.#lastFailure === '') return;
    this.#lastFailure = '';
    this.#deps.logger.info('objects are read again', this.#fields());
  }

  #setSynced(): void {
    this.#isSynced = true;
    this.#resolveSynced();
  }

  #slim(object: KubeObject): KubeObject {
    const kept = withoutManagedFields(object);
    return this.#options.transform?.(kept) ?? kept;
  }

  #scope(): Pick<ReflectorOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  #waitMs(error: KubeError | undefined): number {
    return Math.max(this.#backoff.next(), error?.retryAfterMs ?? 0);
  }

  /** The same failure is told once. */
  #report(message: string, error: KubeError): void {
    const failure = `${error.code} ${error.status}`;
    const fields = { ...this.#fields(), reason: error.message };
    if (failure === this.#lastFailure) this.#deps.logger.debug(message, fields);
    else this.#deps.logger.warn(message, fields);
    this.#lastFailure = failure;
  }

  #fields(): { kind: string; version: string } {
    return { kind: this.#kind.kind, version: this.#kind.version };
  }
}

/** Waits for several reflectors, at most `timeoutMs`; fails with the kinds that are missing. */
export async function allSynced(
  reflectors: ReadonlyMap<string, Reflector>,
  timeoutMs: number,
  clock: Clock,
): Promise<Result<undefined, readonly string[]>> {
  const waiting = new AbortController();
  const all = Promise.all([...reflectors.values()].map(({ synced }) => synced));
  await Promise.race([all, sleep(clock, timeoutMs, waiting.signal)]);
  waiting.abort();
  const missing = [...reflectors].filter(([, reflector]) => !reflector.hasSynced).map(([name]) => name);
  return missing.length === 0 ? ok(undefined) : fail(missing);
}
