/** The paths of policies: exact, with `*` at one end, or templates of whole segments (facts l7-and-control 3.1). */
import { normalizeEscapes } from '../http/normalize-path.ts';
import { parseStringMatch } from '../model/policy.ts';
import { textMatches } from './string-match.ts';

const ONE = '{*}';
const REST = '{**}';

/** A test for paths without query and fragment. */
export function pathMatcher(written: string): (path: string) => boolean {
  const pattern = normalizeEscapes(written);
  if (pattern.includes(ONE) || pattern.includes(REST)) {
    const segments = pattern.split('/');
    return (path) => segmentsMatch(segments, path.split('/'));
  }
  const match = parseStringMatch(pattern);
  return (path) => textMatches(match, path);
}

/** `{*}` is exactly one segment that is not empty; `{**}`, the last operator, is any number of segments. */
function segmentsMatch(pattern: readonly string[], path: readonly string[]): boolean {
  const rest = pattern.indexOf(REST);
  if (rest < 0)
    return pattern.length === path.length && pattern.every((segment, at) => segmentMatches(segment, path[at]));
  const tail = pattern.slice(rest + 1);
  if (path.length < rest + tail.length) return false;
  const tailAt = path.length - tail.length;
  return (
    pattern.slice(0, rest).every((segment, at) => segmentMatches(segment, path[at])) &&
    tail.every((segment, at) => segmentMatches(segment, path[tailAt + at]))
  );
}

function segmentMatches(pattern: string, segment: string | undefined): boolean {
  return pattern === ONE ? segment !== undefined && segment !== '' : pattern === segment;
}

/** The part of a request target that policies compare. */
export function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}
