/** The proxies of a bench: one or two processes of them. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { endProcess } from '../end-process.ts';
import { askChild } from './ask-child.ts';
import type { ProxyCommand, ProxyReply, ProxyTotals } from './proxy-process.ts';

/** From so many on two processes read, or the generator would be what is measured. */
const MANY = 20;
const NO_TOTALS: ProxyTotals = { readBytes: 0, firstRequestBytes: 0, responses: 0, resources: 0 };

export class BenchProxies implements AsyncDisposable {
  readonly #processes: readonly ChildProcess[];
  readonly #shares: readonly number[];

  constructor(count: number) {
    const processes = count > MANY ? 2 : 1;
    this.#shares = Array.from({ length: processes }, (_, index) => Math.floor((count + index) / processes));
    this.#processes = this.#shares.map(() =>
      fork(join(import.meta.dirname, 'proxy-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
  }

  /**
   * Connects all and waits until each has what it asked for.
   * @param knows whether they bring the versions that they held when they were cut
   * @returns how long it took, in milliseconds
   */
  async open({ port, rootsPem }: { readonly port: number; readonly rootsPem: string }, knows = false): Promise<number> {
    const startMs = performance.now();
    await this.#ask((count) => ({ kind: 'open', count, port, rootsPem, knows }));
    return performance.now() - startMs;
  }

  /** By name, when the last proxy read a resource, for those that all of them read; ends with `names` or the limit. */
  async arrivals(names: number, limitMs: number): Promise<ReadonlyMap<string, bigint>> {
    const replies = await this.#ask(() => ({ kind: 'await', names, limitMs }));
    const [first, ...others] = replies.map((reply) => new Map(reply.kind === 'arrived' ? reply.arrivals : []));
    const last = new Map<string, bigint>();
    for (const [name, atNs] of first ?? []) {
      const all = [atNs, ...others.map((other) => other.get(name))];
      if (all.includes(undefined)) continue;
      last.set(
        name,
        all.reduce<bigint>((max, at) => (BigInt(at ?? 0) > max ? BigInt(at ?? 0) : max), 0n),
      );
    }
    return last;
  }

  /** Of all proxies since they connected. */
  async totals(): Promise<ProxyTotals> {
    const replies = await this.#ask(() => ({ kind: 'totals' }));
    return replies.reduce((sum, reply) => (reply.kind === 'totals' ? added(sum, reply.totals) : sum), NO_TOTALS);
  }

  /** Cuts every connection. */
  async cut(): Promise<void> {
    await this.#ask(() => ({ kind: 'cut' }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map(endProcess));
  }

  #ask(commandFor: (count: number) => ProxyCommand): Promise<ProxyReply[]> {
    return Promise.all(
      this.#processes.map((child, index) => askChild<ProxyReply>(child, commandFor(this.#shares[index] ?? 0))),
    );
  }
}

function added(a: ProxyTotals, b: ProxyTotals): ProxyTotals {
  return {
    readBytes: a.readBytes + b.readBytes,
    firstRequestBytes: a.firstRequestBytes + b.firstRequestBytes,
    responses: a.responses + b.responses,
    resources: a.resources + b.resources,
  };
}
