/** What became of the manifests, for people and tools: the place of `status` where there is no API server. */
import { rename, writeFile } from 'node:fs/promises';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { AcceptedEntry } from '../manifests/manifest-set.ts';
import { titleOfKey } from '../model/manifest/manifest-object.ts';
import { formatPosition, type ManifestProblem } from '../model/manifest/manifest-problem.ts';

export interface ControlStatus {
  /** RFC 3339. */
  readonly time: string;
  readonly accepted: readonly {
    readonly object: string;
    readonly position: string;
    /** A newer version was refused; the last good one is in force. */
    readonly stale?: true;
    /** Something that does not work as the object says. */
    readonly note?: string;
  }[];
  readonly refused: readonly {
    readonly object: string;
    readonly field: string;
    readonly reason: string;
    /** `file:line:column`. */
    readonly position: string;
  }[];
  readonly ignored: readonly { readonly object: string; readonly position: string }[];
}

/** Wherever objects come from: which are in force, and what was refused. */
export interface ObjectReport {
  problems(): readonly ManifestProblem[];
  accepted(): readonly AcceptedEntry[];
}

/** Puts the status together. */
export function buildStatus(manifests: ObjectReport, notes: ReadonlyMap<string, string>, nowMs: number): ControlStatus {
  const problems = manifests.problems();
  const inForce = manifests.accepted();
  // A pod that runs overrides the manifest that it was made of: the user's object is not ignored for that.
  const titles = new Set(inForce.map(({ key }) => titleOfKey(key)));
  return {
    time: new Date(nowMs).toISOString(),
    accepted: inForce.map(({ key, position, stale }) => {
      const note = notes.get(key);
      return {
        object: key,
        position: formatPosition(position),
        ...(stale ? { stale } : {}),
        ...(note === undefined ? {} : { note }),
      };
    }),
    refused: problems.filter((problem) => problem.severity === 'error').map(refusedEntry),
    ignored: problems
      .filter((problem) => problem.severity === 'note' && !titles.has(problem.object))
      .map(({ object, position }) => ({ object, position: formatPosition(position) })),
  };
}

function refusedEntry({ object, field, reason, position }: ManifestProblem): ControlStatus['refused'][number] {
  return { object, field, reason, position: formatPosition(position) };
}

export interface StatusWriterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly current: () => ControlStatus;
}

/** Changes come first, the report about them afterwards. */
const WRITE_DELAY_MS = 50;

/** Writes the newest status to a file, one write at a time, each under a temporary name first. */
export class StatusWriter {
  readonly #path: string;
  readonly #deps: StatusWriterDeps;
  #due: Timer | undefined;
  #writing: Promise<void> | undefined;
  #again = false;

  constructor(path: string, deps: StatusWriterDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  /** Writes soon; several calls before and during one write cause one more. */
  update(): void {
    this.#due ??= this.#deps.clock.after(WRITE_DELAY_MS, () => {
      this.#due = undefined;
      this.#start();
    });
  }

  /** Resolves when everything noted so far is in the file. */
  async settled(): Promise<void> {
    if (this.#due !== undefined) {
      this.#due.cancel();
      this.#due = undefined;
      this.#start();
    }
    while (this.#writing !== undefined) await this.#writing;
  }

  #start(): void {
    if (this.#writing !== undefined) {
      this.#again = true;
      return;
    }
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.#start();
    });
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    try {
      await writeFile(temporary, `${JSON.stringify(this.#deps.current(), null, 2)}\n`);
      await rename(temporary, this.#path);
    } catch (error) {
      this.#deps.logger.warn('status file not written', { path: this.#path, reason: errorText(error) });
    }
  }
}
