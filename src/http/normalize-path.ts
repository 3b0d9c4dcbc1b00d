/**
 * One spelling for the path of a request, so that policies, routes and endpoints mean the same by it (RFC 3986 6.2.2,
 * 5.2.4; Istio's `BASE`, facts l7-and-control 10.2): percent-encoded unreserved characters decoded, hexadecimal digits
 * in upper case, backslashes as slashes, dot segments resolved. Slashes that follow each other stay.
 *
 * Invariant: to normalise a normalised target changes nothing.
 */

/** A NUL, or an escape that is none: no server reads such a path as its client meant it. */
const REFUSED = /%00|%(?![0-9A-Fa-f]{2})|[\0#]/;
const NEEDS_WORK = /[%\\]|\/\.{1,2}(?:\/|$)/;
const ESCAPE = /%[0-9A-Fa-f]{2}/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/** The escapes of a configured path, or of a pattern for paths, in the spelling that normalised targets have. */
export function normalizeEscapes(path: string): string {
  return path.includes('%') ? path.replace(ESCAPE, (found) => found.toUpperCase()) : path;
}

/** The normalised target, its query untouched; undefined when it has to be refused (400). `*` stays as it is. */
export function normalizePath(target: string): string | undefined {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? '' : target.slice(queryAt);
  if (query.includes('#') || REFUSED.test(path)) return undefined;
  if (!path.startsWith('/')) return path === '*' ? target : undefined;
  if (!NEEDS_WORK.test(path)) return target;
  const decoded = path.replace(ESCAPE, decodeUnreserved).replaceAll('\\', '/');
  return removeDotSegments(decoded) + query;
}

function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return UNRESERVED.test(character) ? character : encoded.toUpperCase();
}

function removeDotSegments(path: string): string {
  const segments = path.slice(1).split('/');
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}
