/** What became of the errors in manifests since the last look: new ones, and files that are in order again. */
import { formatProblem, type ManifestProblem } from '../model/manifest/manifest-problem.ts';

export interface ProblemChange {
  /** Errors that were not there at the last look. */
  readonly appeared: readonly ManifestProblem[];
  /** Files that had errors at the last look, are still there and have none. */
  readonly mended: readonly string[];
}

/** Remembers the errors of the last look, and nothing older: one that comes back appears again. */
export class ProblemChanges {
  #texts: ReadonlySet<string> = new Set();
  #files: ReadonlySet<string> = new Set();

  /** @param files the files that are there */
  look(problems: readonly ManifestProblem[], files: Iterable<string>): ProblemChange {
    const errors = problems.filter(({ severity }) => severity === 'error');
    const broken = new Set(errors.map(({ position }) => position.file));
    const present = new Set(files);
    const appeared = errors.filter((problem) => !this.#texts.has(formatProblem(problem)));
    const mended = [...this.#files].filter((file) => present.has(file) && !broken.has(file));
    this.#texts = new Set(errors.map(formatProblem));
    this.#files = broken;
    return { appeared, mended };
  }
}
