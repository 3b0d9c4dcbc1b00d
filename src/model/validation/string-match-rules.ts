/** StringMatch: exactly one of `exact`, `prefix` and `regex` (facts l7-and-control 1.2). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { regexProblem } from './regex-syntax.ts';

/** Written so, a header or parameter only has to be there. */
const PRESENCE = '*';

export interface StringMatchOptions {
  /** Whether nothing, or the regex `*`, asks for presence. */
  readonly presence?: boolean;
  /** Whether the prefix may be empty, as that of a path. */
  readonly emptyPrefix?: boolean;
}

/** Reports what is wrong with a match that is given. */
export function checkStringMatch(match: FieldReader, options: StringMatchOptions = {}): void {
  if (!match.isPresent) return;
  const { presence = false, emptyPrefix = false } = options;
  if (!presence && match.names().length === 0) match.report(undefined, 'needs one of exact, prefix, regex');
  if (match.raw('prefix') === '' && !emptyPrefix) match.report('prefix', 'must not be empty');
  const regex = match.raw('regex');
  if (typeof regex !== 'string' || (presence && regex === PRESENCE)) return;
  const problem = regex === '' ? 'must not be empty' : regexProblem(regex);
  if (problem !== undefined) match.report('regex', problem);
}
