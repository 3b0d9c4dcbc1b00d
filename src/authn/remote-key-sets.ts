/**
 * Key sets that are fetched: one by URL for all rules that name it, asked for by the first request that needs it, then
 * kept fresh by itself (facts l7-and-control 3.3).
 *
 * Invariants:
 * - At most one fetch is under way for a URL, and at most one timer waits.
 * - A good set stays until a better one is there; without any, there are no keys, and so no token is accepted.
 */
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fail, type Result } from '../base/result.ts';
import type { JwtRule, KeySource, RemoteKeys } from './jwt-rule.ts';
import { type KeySet, parseKeySet } from './key-set.ts';

/** Gets a document. Never rejects; fails with the reason as text. */
export type FetchText = (url: string, timeoutMs: number) => Promise<Result<string, string>>;

export interface RemoteKeySetsDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly fetch: FetchText;
}

interface Slot {
  readonly source: RemoteKeys;
  readonly backoff: Backoff;
  /** What `keys` were made of: keys that did not change keep the tokens that they verified. */
  text: string;
  keys: KeySet | undefined;
  /** Set until the first fetch is over. */
  first: Promise<KeySet | undefined> | undefined;
  timer: Timer | undefined;
  dropped: boolean;
}

const MAX_KEY_SETS = 64;
const REFRESH_MS = 20 * 60_000;
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 60 * 60_000;
const JITTER = 0.1;

export class RemoteKeySets {
  readonly #deps: RemoteKeySetsDeps;
  readonly #slots = new Map<string, Slot>();

  constructor(deps: RemoteKeySetsDeps) {
    this.#deps = deps;
  }

  /** The keys of a source; undefined when they cannot be had. A promise only during the first fetch. */
  of(source: KeySource): KeySet | undefined | Promise<KeySet | undefined> {
    if (source.kind === 'inline') return source.keys;
    const slot = this.#slots.get(slotKey(source)) ?? this.#open(source);
    return slot?.first ?? slot?.keys;
  }

  /** Forgets the sets that none of these rules names. */
  retain(rules: readonly JwtRule[]): void {
    const wanted = new Set(rules.flatMap(({ keys }) => (keys.kind === 'remote' ? [slotKey(keys)] : [])));
    for (const [key, slot] of this.#slots) if (!wanted.has(key)) this.#drop(key, slot);
  }

  stop(): void {
    for (const [key, slot] of this.#slots) this.#drop(key, slot);
  }

  #open(source: RemoteKeys): Slot | undefined {
    if (this.#slots.size >= MAX_KEY_SETS) return undefined;
    const { random } = this.#deps;
    const backoff = new Backoff({ initialMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, jitter: JITTER, random });
    const slot: Slot = {
      source,
      backoff,
      text: '',
      keys: undefined,
      first: undefined,
      timer: undefined,
      dropped: false,
    };
    this.#slots.set(slotKey(source), slot);
    slot.first = this.#refresh(slot).then(() => {
      slot.first = undefined;
      return slot.keys;
    });
    return slot;
  }

  async #refresh(slot: Slot): Promise<void> {
    const fetched = await this.#fetchKeys(slot.source);
    if (slot.dropped) return;
    const text = fetched.ok ? fetched.value : undefined;
    const keys = text === undefined || text === slot.text ? slot.keys : parseKeySet(text);
    if (text === undefined || keys === undefined) {
      this.#failed(slot, fetched.ok ? 'it is no JWK set' : fetched.error);
      return;
    }
    slot.text = text;
    slot.keys = keys;
    slot.backoff.reset();
    this.#again(slot, REFRESH_MS);
  }

  async #fetchKeys({ url, isDiscovery, timeoutMs }: RemoteKeys): Promise<Result<string, string>> {
    const { fetch } = this.#deps;
    const document = await fetch(url, timeoutMs);
    if (!isDiscovery || !document.ok) return document;
    const place = placeOfKeys(document.value);
    return place === undefined ? fail('the metadata of the issuer names no jwks_uri') : fetch(place, timeoutMs);
  }

  #failed(slot: Slot, reason: string): void {
    const effect = slot.keys === undefined ? 'all tokens of its rules are refused' : 'the last good keys stay in use';
    this.#deps.logger.warn('keys of tokens not fetched', { url: shownUrl(slot.source.url), reason, effect });
    this.#again(slot, slot.backoff.next());
  }

  #again(slot: Slot, delayMs: number): void {
    slot.timer = this.#deps.clock.after(delayMs, () => void this.#refresh(slot));
  }

  #drop(key: string, slot: Slot): void {
    slot.dropped = true;
    slot.timer?.cancel();
    this.#slots.delete(key);
  }
}

function slotKey({ isDiscovery, url }: RemoteKeys): string {
  return `${isDiscovery ? 'discovery' : 'keys'} ${url}`;
}

/** `jwks_uri` of the metadata of an issuer (OpenID Connect Discovery 1.0, 4.2). */
function placeOfKeys(text: string): string | undefined {
  try {
    const place: unknown = JSON.parse(text)?.jwks_uri;
    return typeof place === 'string' && URL.canParse(place) ? place : undefined;
  } catch {
    // No JSON names no place.
    return undefined;
  }
}

/** Without what may be a secret. */
function shownUrl(url: string): string {
  const { origin, pathname } = URL.canParse(url) ? new URL(url) : { origin: '', pathname: url };
  return origin + pathname;
}
