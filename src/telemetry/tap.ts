/**
 * Requests and connections as they end, for who looks just now.
 *
 * Invariants:
 * - Without a listener nothing is built and nothing is kept.
 * - A listener gets at most as many a second as it asked for, and never more than it reads; what is left out is counted.
 */
import type { Clock } from '../base/clock.ts';
import type { LogFields } from '../base/logger.ts';

/** One that ended. The fields are those of the access log, without what tapped-logger.ts hides. */
export interface TapRecord {
  /** By wall clock. */
  readonly timeMs: number;
  readonly kind: 'request' | 'connection';
  readonly fields: LogFields;
}

/** What a listener wants; undefined for all. */
export interface TapFilter {
  /** Of either end. */
  readonly namespace?: string | undefined;
  /** A pod of either end, or the beginning of its name. */
  readonly workload?: string | undefined;
  readonly method?: string | undefined;
  /** The beginning of it. */
  readonly path?: string | undefined;
  /** `404`, or `5xx` for all of them. */
  readonly status?: string | undefined;
}

export interface TapListener {
  readonly matches: (record: TapRecord) => boolean;
  readonly maxPerSec: number;
  /** @returns false when it did not take it */
  readonly deliver: (record: TapRecord) => boolean;
}

interface Listening {
  readonly listener: TapListener;
  second: number;
  inSecond: number;
  skipped: number;
}

export class Tap {
  readonly #clock: Clock;
  readonly #listening = new Set<Listening>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isActive(): boolean {
    return this.#listening.size > 0;
  }

  get listeners(): number {
    return this.#listening.size;
  }

  /** @returns what ends it, and what tells how many were left out since it was asked last */
  listen(listener: TapListener): { readonly end: () => void; readonly takeSkipped: () => number } {
    const entry: Listening = { listener, second: 0, inSecond: 0, skipped: 0 };
    this.#listening.add(entry);
    return {
      end: () => void this.#listening.delete(entry),
      takeSkipped: () => {
        const { skipped } = entry;
        entry.skipped = 0;
        return skipped;
      },
    };
  }

  /** Something ended. */
  offer(record: TapRecord): void {
    const second = Math.floor(this.#clock.monotonicMs() / 1000);
    for (const entry of this.#listening) {
      const { listener } = entry;
      if (!listener.matches(record)) continue;
      if (entry.second !== second) {
        entry.second = second;
        entry.inSecond = 0;
      }
      if (entry.inSecond >= listener.maxPerSec || !listener.deliver(record)) entry.skipped += 1;
      else entry.inSecond += 1;
    }
  }

  /** Others saw something that matches, and left it out. */
  skipped(count: number): void {
    for (const entry of this.#listening) entry.skipped += count;
  }
}

/** Whether a listener wants to see it. */
export function matchesFilter(filter: TapFilter, { fields }: TapRecord): boolean {
  const { namespace, workload, method, path, status } = filter;
  const text = (name: string) => String(fields[name] ?? '');
  if (namespace !== undefined && !endsOf(fields, 'namespace').includes(namespace)) return false;
  if (workload !== undefined && !endsOf(fields, 'workload').some((name) => name.startsWith(workload))) return false;
  if (method !== undefined && text('method').toUpperCase() !== method.toUpperCase()) return false;
  if (path !== undefined && !text('path').startsWith(path)) return false;
  return status === undefined || statusMatches(text('response_code'), status);
}

function endsOf(fields: LogFields, what: string): string[] {
  return [fields[`src.${what}`], fields[`dst.${what}`]].filter((value) => value !== undefined).map(String);
}

function statusMatches(code: string, wanted: string): boolean {
  const isClass = /^[1-5]xx$/i.test(wanted);
  return isClass ? code.length === 3 && code.startsWith(wanted.slice(0, 1)) : code === wanted;
}
