/** What is wrong with a manifest, and exactly where. */
import { printable } from '../../base/printable.ts';

/** A place in a file; line and column start at 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ManifestProblem {
  /** `error`: the object is refused. `note`: worth knowing, nothing is refused. */
  readonly severity: 'error' | 'note';
  /** `Pod demo/web`; empty when the object is not known. */
  readonly object: string;
  /** `spec.ports[0].port`; empty for the object or file as a whole. */
  readonly field: string;
  readonly reason: string;
  readonly position: SourcePosition;
}

/** A path through an object: keys and list indices. */
export type FieldPath = readonly (string | number)[];

/** `spec.ports[0].port`. */
export function formatFieldPath(path: FieldPath): string {
  let text = '';
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${step}`;
  return text;
}

/** `file:line:column`. */
export function formatPosition(position: SourcePosition): string {
  return `${position.file}:${position.line}:${position.column}`;
}

/** `file:line:column: Pod demo/web: spec.nodeName: reason`, in one line: what a manifest says may not steer a terminal. */
export function formatProblem(problem: ManifestProblem): string {
  const parts = [formatPosition(problem.position), problem.object, problem.field, problem.reason];
  return printable(parts.filter((part) => part !== '').join(': '));
}
