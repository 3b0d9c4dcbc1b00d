/** Regular expressions in custom resources. */
import { compileRegex } from '../regex/compile-regex.ts';

/** Longer ones are refused (facts l7-and-control 1.2). */
const MAX_REGEX_LENGTH = 1024;

/** Why a waypoint would not take a pattern; undefined when it does. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > MAX_REGEX_LENGTH) return `is a regular expression of more than ${MAX_REGEX_LENGTH} characters`;
  const compiled = compileRegex(pattern);
  return compiled.ok ? undefined : compiled.error;
}
