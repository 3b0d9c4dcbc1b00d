/** Another path for a request, its query untouched (facts l7-and-control 1.2, 4.4). */
import type { CompiledRegex } from '../model/regex/compile-regex.ts';
import type { HttpMatch, PathRewrite } from '../proto/gen/ambit.ts';
import type { RegexBudget } from './regex-budget.ts';
import { RegexPool } from './regex-pool.ts';

/** From the path without its query to the new one. Where the budget is exceeded by it, what is returned means nothing. */
export type PathChange = (path: string, budget: RegexBudget) => string;

/** A substitution may make more of a path than any server reads. */
const MAX_REWRITTEN_CHARACTERS = 65_536;

/**
 * @param match of the same route: prefixes that it names are what is replaced
 * @throws Error for a regular expression that RE2 or the pool does not take
 */
export function compilePathRewrite(
  rewrite: PathRewrite | undefined,
  match: HttpMatch | undefined,
  pool = new RegexPool(),
): PathChange | undefined {
  const kind = rewrite?.kind;
  switch (kind?.$case) {
    case 'full':
      return () => rooted(escaped(kind.full));
    case 'prefix': {
      const matched = prefixOf(match);
      const replacement = escaped(kind.prefix);
      return (path) => rooted(replacement + path.slice(matched.length));
    }
    case 'pathPrefix': {
      const matched = withoutSlash(prefixOf(match));
      const replacement = withoutSlash(escaped(kind.pathPrefix));
      return (path) => rooted(replacement + path.slice(matched.length));
    }
    case 'regex': {
      const regex = pool.compile(kind.regex.pattern);
      const substitution = escaped(kind.regex.substitution);
      return (path, budget) => rooted(substituted(regex, path, substitution, budget));
    }
    default:
      return undefined;
  }
}

/** The target with another path; the query goes along. */
export function rewriteTarget(target: string, change: PathChange, budget: RegexBudget): string {
  const queryAt = target.indexOf('?');
  return queryAt < 0 ? change(target, budget) : change(target.slice(0, queryAt), budget) + target.slice(queryAt);
}

/** Text of a configuration as it may stand in a request target: escapes for what may not. */
function escaped(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

function prefixOf(match: HttpMatch | undefined): string {
  const kind = match?.path?.kind;
  if (kind?.$case === 'prefix') return kind.prefix;
  if (kind?.$case === 'pathPrefix') return kind.pathPrefix;
  return kind?.$case === 'exact' ? kind.exact : '';
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** A request target begins with a slash. */
function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** All matches replaced; `\1` in the substitution is the first group, and `\\` a backslash. */
function substituted(compiled: CompiledRegex, path: string, substitution: string, budget: RegexBudget): string {
  const matcher = compiled.regex.matcher(path);
  let text = '';
  let at = 0;
  // A search may look at all of the rest, also where it finds something at once.
  while (budget.take(compiled, path.length - at, 'target') && matcher.find()) {
    const expanded = substitution.replace(/\\(\d)|\\\\/g, (_found, group: string | undefined) => {
      if (group === undefined) return '\\';
      return Number(group) <= matcher.groupCount() ? (matcher.group(Number(group)) ?? '') : '';
    });
    text += path.slice(at, matcher.start()) + expanded;
    at = matcher.end();
    if (text.length > MAX_REWRITTEN_CHARACTERS) budget.exceed('target');
  }
  return text + path.slice(at);
}
