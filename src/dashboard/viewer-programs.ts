/**
 * The programs of the mesh for each viewer of a cluster: the same ones from request to request, so that what they told is
 * asked for once however many pages a viewer has open.
 *
 * Invariant: a viewer that does not ask any more is forgotten with their token, and so is who has been away the longest when
 * there are too many.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { MeshPrograms } from './mesh-programs.ts';

type MayRead = (namespace: string) => boolean;
export type ProgramsOf = (token: string, mayRead: MayRead) => MeshPrograms;

interface Entry {
  readonly programs: MeshPrograms;
  mayRead: MayRead;
  usedMs: number;
}

const MAX_VIEWERS = 500;
const FORGOTTEN_AFTER_MS = 60_000;

export class ViewerPrograms {
  readonly #programsOf: ProgramsOf;
  readonly #clock: Clock;
  readonly #entries = new LRUCache<string, Entry>({ max: MAX_VIEWERS });

  constructor(programsOf: ProgramsOf, clock: Clock) {
    this.#programsOf = programsOf;
    this.#clock = clock;
  }

  /** @param mayRead what counts from now on for this viewer */
  of(token: string, mayRead: MayRead): MeshPrograms {
    const key = hash('sha256', token, 'base64');
    const usedMs = this.#clock.monotonicMs();
    const known = this.#entries.get(key);
    if (known !== undefined) {
      Object.assign(known, { mayRead, usedMs });
      return known.programs;
    }
    const entry: Entry = {
      programs: this.#programsOf(token, (namespace) => entry.mayRead(namespace)),
      mayRead,
      usedMs,
    };
    this.#entries.set(key, entry);
    return entry.programs;
  }

  /** To be called now and then. */
  forgetOld(): void {
    const sinceMs = this.#clock.monotonicMs() - FORGOTTEN_AFTER_MS;
    for (const key of [...this.#entries.rkeys()]) {
      const usedMs = this.#entries.peek(key)?.usedMs;
      if (usedMs !== undefined && usedMs > sinceMs) return;
      this.#entries.delete(key);
    }
  }
}
