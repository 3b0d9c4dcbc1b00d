/**
 * Requests in line for a connection.
 *
 * Invariants:
 * - Who was called in vain comes before those who were not called yet.
 * - A request that is over leaves the line at once, so that only live ones take up room in it.
 * - To join, to leave and to call the first is constant work, however long the line is.
 */
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import type { Cancellation } from './cancellation.ts';

/** A request in line, between its neighbours; its own neighbour while it is in none. */
class Place {
  before: Place = this;
  after: Place = this;
  /** Undefined when it is its turn. */
  readonly call: (error: ProxyError | undefined) => void;

  constructor(call: (error: ProxyError | undefined) => void) {
    this.call = call;
  }

  join(next: Place): void {
    this.before = next.before;
    this.after = next;
    next.before.after = this;
    next.before = this;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

export class WaitingLine {
  /** A ring: after it is the first in line, before it the last. */
  readonly #end = new Place(() => undefined);
  /** Those before it were called already. */
  readonly #called = new Place(() => undefined);

  constructor() {
    this.#called.join(this.#end);
  }

  /**
   * Resolves when it is the request's turn.
   * @param wasCalled it waited before, and there was nothing for it
   * @returns why its turn will not come
   */
  wait(wasCalled: boolean, signal: Cancellation | undefined): Promise<ProxyError | undefined> {
    return new Promise((resolve) => {
      let forget: (() => void) | undefined;
      const place = new Place((error) => {
        place.leave();
        forget?.();
        resolve(error);
      });
      place.join(wasCalled ? this.#called : this.#end);
      forget = signal?.onAbort(() => place.call(requestOver()));
    });
  }

  /** Calls who is first. @returns whether there was anybody */
  callFirst(): boolean {
    const first = this.#first();
    first?.call(undefined);
    return first !== undefined;
  }

  /** Calls all that are in line, or tells them why they wait in vain. */
  callAll(error?: ProxyError): void {
    for (let first = this.#first(); first !== undefined; first = this.#first()) first.call(error);
  }

  #first(): Place | undefined {
    const { after } = this.#end;
    const first = after === this.#called ? after.after : after;
    return first === this.#end ? undefined : first;
  }
}

/** What a request gets that is over: nobody looks at it. */
export function requestOver(): ProxyError {
  return proxyError('CLIENT_DISCONNECTED', 'the request was over before it got a connection');
}
