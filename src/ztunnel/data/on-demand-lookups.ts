/**
 * The data thread's half of `XDS_ON_DEMAND`: asks the control thread for what a connection needs, once per key.
 *
 * Invariants:
 * - A key that was answered is not asked for again and delays nothing, found or not, until the control thread forgot it.
 * - Whoever waits is always woken: the control thread answers every key within a bounded time.
 */

import type { MeshState } from '../../mesh/mesh-state.ts';
import type { IpAddress } from '../../model/address.ts';
import { networkAddressKey } from '../../model/gateway-address.ts';

export interface OnDemandLookupsDeps {
  readonly state: MeshState;
  /** Asks the control thread; `answered` is called when it has an answer. */
  ask(key: string): void;
}

export class OnDemandLookups {
  readonly #deps: OnDemandLookupsDeps;
  /** Keys with an answer; the control thread bounds them. */
  readonly #settled = new Set<string>();
  readonly #waiting = new Map<string, ((answered: boolean) => void)[]>();

  constructor(deps: OnDemandLookupsDeps) {
    this.#deps = deps;
  }

  /** Whether the state says all there is about the key. */
  isSettled(key: string): boolean {
    return this.#settled.has(key);
  }

  /** The key to ask for before something is decided about the address; undefined when the state has its owner. */
  addressKey(network: string, ip: IpAddress): string | undefined {
    const { state } = this.#deps;
    if (state.workloadByAddress(network, ip) !== undefined) return undefined;
    // Blocks do not count: the address may have an owner of its own inside of one.
    if (state.servicesByVip(network, ip).length > 0) return undefined;
    const key = networkAddressKey(network, ip);
    return this.#settled.has(key) ? undefined : key;
  }

  /** Asks without waiting: for what is only nice to know. */
  hint(key: string): void {
    if (this.#settled.has(key) || this.#waiting.has(key)) return;
    this.#waiting.set(key, []);
    this.#deps.ask(key);
  }

  /** Asks without waiting for the owner of an address that telemetry names. */
  hintAddress(network: string, ip: IpAddress): void {
    const key = this.addressKey(network, ip);
    if (key !== undefined) this.hint(key);
  }

  /** Asks for keys, and resolves when each was answered (true), or when nobody answered about one of them (false). */
  async fetch(keys: readonly string[]): Promise<boolean> {
    const answers = await Promise.all(keys.map((key) => this.#fetch(key)));
    return answers.every(Boolean);
  }

  /** The control thread's answer; the state has whatever there is. */
  answered(keys: readonly string[]): void {
    for (const key of keys) this.#settled.add(key);
    this.#wake(keys, true);
  }

  /** Nobody answered in time; the next connection asks again. */
  overdue(keys: readonly string[]): void {
    this.#wake(keys, false);
  }

  /** Changes of these keys are no longer heard of: they have to be asked for again. */
  forgotten(keys: readonly string[]): void {
    for (const key of keys) this.#settled.delete(key);
  }

  /** Wakes everybody: the thread ends. */
  close(): void {
    this.#wake([...this.#waiting.keys()], false);
  }

  #wake(keys: readonly string[], answered: boolean): void {
    for (const key of keys) {
      const waiting = this.#waiting.get(key) ?? [];
      this.#waiting.delete(key);
      for (const resolve of waiting) resolve(answered);
    }
  }

  #fetch(key: string): Promise<boolean> | true {
    if (this.#settled.has(key)) return true;
    return new Promise((resolve) => {
      this.hint(key);
      this.#waiting.get(key)?.push(resolve);
    });
  }
}
