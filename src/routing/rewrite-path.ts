/** Another path for a request, its query untouched (facts l7-and-control 1.2, 4.4). */
import { RE2JS } from 're2js';
import type { HttpMatch, PathRewrite } from '../proto/gen/ambit.ts';

/** From the path without its query to the new one. */
export type PathChange = (path: string) => string;

/**
 * @param match of the same route: prefixes that it names are what is replaced
 * @throws Error for a regular expression that RE2 does not take
 */
export function compilePathRewrite(
  rewrite: PathRewrite | undefined,
  match: HttpMatch | undefined,
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
      const regex = RE2JS.compile(kind.regex.pattern);
      const substitution = escaped(kind.regex.substitution);
      return (path) => rooted(substituted(regex, path, substitution));
    }
    default:
      return undefined;
  }
}

/** The target with another path; the query goes along. */
export function rewriteTarget(target: string, change: PathChange): string {
  const queryAt = target.indexOf('?');
  return queryAt < 0 ? change(target) : change(target.slice(0, queryAt)) + target.slice(queryAt);
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
function substituted(regex: RE2JS, path: string, substitution: string): string {
  const matcher = regex.matcher(path);
  let text = '';
  let at = 0;
  while (matcher.find()) {
    const expanded = substitution.replace(/\\(\d)|\\\\/g, (_found, group: string | undefined) => {
      if (group === undefined) return '\\';
      return Number(group) <= matcher.groupCount() ? (matcher.group(Number(group)) ?? '') : '';
    });
    text += path.slice(at, matcher.start()) + expanded;
    at = matcher.end();
  }
  return text + path.slice(at);
}
