/**
 * The manifests of all files together: which object is in force, and what was refused.
 *
 * Invariants:
 * - An object that was good once and is still named, but broken, stays in force in its last good version.
 * - Where a file holds something that cannot even be named, every object it had before and that is missing now stays:
 *   one of them may be meant.
 * - Of several objects with one key the first wins, by file and then by position; the others are reported.
 */
import { type ManifestObject, titleOfKey } from '../model/manifest/manifest-object.ts';
import { formatPosition, type ManifestProblem, type SourcePosition } from '../model/manifest/manifest-problem.ts';
import { parseManifest } from '../model/manifest/parse-manifest.ts';

/** What a change of files means for the objects in force. */
export interface ManifestDelta {
  readonly upserts: readonly ManifestObject[];
  readonly removedKeys: readonly string[];
  /** Whether objects are missing from the text and were kept, because the file may still be written. */
  readonly withheld: boolean;
}

/** An object in force, and whether its file holds a newer version that was refused. */
export interface AcceptedEntry {
  readonly key: string;
  readonly position: SourcePosition;
  readonly stale: boolean;
}

interface Held {
  readonly object: ManifestObject;
  readonly position: SourcePosition;
  readonly content: string;
  readonly stale: boolean;
}

interface FileState {
  readonly held: ReadonlyMap<string, Held>;
  readonly problems: readonly ManifestProblem[];
}

const NO_FILE: FileState = { held: new Map(), problems: [] };

export class ManifestSet {
  readonly #files = new Map<string, FileState>();
  /** By object key: the files that hold it. */
  readonly #holders = new Map<string, Set<string>>();
  /** Keys that several files hold. */
  readonly #contested = new Set<string>();
  readonly #inForce = new Map<string, Held>();
  readonly #rank: (file: string) => number;

  /** @param rank files of a lower rank win over others; files of one rank are ordered by name */
  constructor(rank: (file: string) => number = () => 0) {
    this.#rank = rank;
  }

  get files(): Iterable<string> {
    return this.#files.keys();
  }

  /**
   * Takes the new text of a file.
   * @param settled false while the file may still be written: objects that are missing from the text stay
   */
  setFile(file: string, text: string, settled = true): ManifestDelta {
    const before = this.#files.get(file) ?? NO_FILE;
    const after = nextState(before, text, file);
    const missing = settled ? [] : [...before.held].filter(([key]) => !after.held.has(key));
    if (missing.length === 0) return this.#replace(file, before, after);
    const held = new Map([...after.held, ...missing]);
    return { ...this.#replace(file, before, { held, problems: after.problems }), withheld: true };
  }

  /** Notes that a file is there but cannot be read: its objects stay. */
  setUnreadable(file: string, reason: string): ManifestDelta {
    const before = this.#files.get(file) ?? NO_FILE;
    const position = { file, line: 1, column: 1 };
    const held = new Map([...before.held].map(([key, entry]) => [key, { ...entry, stale: true }]));
    return this.#replace(file, before, { held, problems: [fileProblem(position, reason)] });
  }

  /** Notes that a file is gone, and its objects with it. */
  removeFile(file: string): ManifestDelta {
    const before = this.#files.get(file);
    if (before === undefined) return { upserts: [], removedKeys: [], withheld: false };
    const delta = this.#replace(file, before, NO_FILE);
    this.#files.delete(file);
    return delta;
  }

  /** Everything wrong or worth a note, duplicates included, in the order of files. */
  problems(): ManifestProblem[] {
    const all: ManifestProblem[] = [];
    for (const file of this.#sorted(this.#files.keys())) all.push(...(this.#files.get(file)?.problems ?? []));
    for (const key of this.#contested) all.push(...this.#duplicates(key, this.#holders.get(key) ?? new Set()));
    return all;
  }

  accepted(): AcceptedEntry[] {
    return [...this.#inForce].map(([key, { position, stale }]) => ({ key, position, stale }));
  }

  #replace(file: string, before: FileState, after: FileState): ManifestDelta {
    this.#files.set(file, after);
    const touched = new Set([...before.held.keys(), ...after.held.keys()]);
    for (const key of touched) this.#noteHolder(key, file, after.held.has(key));
    const upserts: ManifestObject[] = [];
    const removedKeys: string[] = [];
    for (const key of touched) {
      const winner = this.#winner(key);
      const current = this.#inForce.get(key);
      if (winner === undefined) {
        if (this.#inForce.delete(key)) removedKeys.push(key);
        continue;
      }
      this.#inForce.set(key, winner);
      if (current?.content !== winner.content) upserts.push(winner.object);
    }
    return { upserts, removedKeys, withheld: false };
  }

  #noteHolder(key: string, file: string, holds: boolean): void {
    const files = this.#holders.get(key) ?? new Set();
    if (holds) files.add(file);
    else files.delete(file);
    if (files.size > 0) this.#holders.set(key, files);
    else this.#holders.delete(key);
    if (files.size > 1) this.#contested.add(key);
    else this.#contested.delete(key);
  }

  /** An earlier folder overrides a later one on purpose; twice in one folder is a mistake. */
  #severity(winner: Held, other: Held): ManifestProblem['severity'] {
    return this.#rank(winner.position.file) === this.#rank(other.position.file) ? 'error' : 'note';
  }

  #winner(key: string): Held | undefined {
    const [first] = this.#sorted(this.#holders.get(key) ?? []);
    return first === undefined ? undefined : this.#files.get(first)?.held.get(key);
  }

  #sorted(files: Iterable<string>): string[] {
    return [...files].sort((a, b) => this.#rank(a) - this.#rank(b) || (a < b ? -1 : 1));
  }

  #duplicates(key: string, files: ReadonlySet<string>): ManifestProblem[] {
    const [first, ...others] = this.#sorted(files).map((file) => this.#files.get(file)?.held.get(key));
    if (first === undefined) return [];
    return others.flatMap((other) =>
      other === undefined ? [] : [duplicateProblem(key, other.position, first.position, this.#severity(first, other))],
    );
  }
}

function nextState(before: FileState, text: string, file: string): FileState {
  const parsed = parseManifest(text, file);
  const held = new Map<string, Held>();
  const problems = [...parsed.problems];
  for (const { key, object, position, content } of parsed.objects) {
    const first = held.get(key);
    if (first !== undefined) problems.push(duplicateProblem(key, position, first.position));
    else held.set(key, { object, position, content, stale: false });
  }
  const kept = parsed.unreadable ? [...before.held.keys()] : parsed.refusedKeys;
  for (const key of kept) {
    const former = before.held.get(key);
    if (former !== undefined && !held.has(key)) held.set(key, { ...former, stale: true });
  }
  return { held, problems };
}

function duplicateProblem(
  key: string,
  position: SourcePosition,
  winner: SourcePosition,
  severity: ManifestProblem['severity'] = 'error',
): ManifestProblem {
  const reason = `is defined a second time; the definition at ${formatPosition(winner)} is in force`;
  return { severity, object: titleOfKey(key), field: '', reason, position };
}

function fileProblem(position: SourcePosition, reason: string): ManifestProblem {
  return { severity: 'error', object: '', field: '', reason, position };
}
