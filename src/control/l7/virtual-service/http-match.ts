/** The conditions of an HTTP rule for the feed (facts l7-and-control 1.2). */
import { claimPath, isClaimKey } from '../../../model/claim-path.ts';
import type {
  HttpMatchSpec,
  StringMatchesSpec,
  StringMatchSpec,
} from '../../../model/manifest/virtual-service-spec.ts';
import type { ClaimMatch, HttpMatch, NamedMatch, StringMatch } from '../../../proto/gen/ambit.ts';

/** Not RE2: it asks for presence. */
const PRESENCE_REGEX = '*';
const EVERYTHING: HttpMatchSpec = {};

/** @param needsPath whether something is done with the part of the path that was matched */
export function buildHttpMatch(match: HttpMatchSpec | undefined, needsPath: boolean): HttpMatch {
  const { uri, scheme, method, authority, headers, withoutHeaders, queryParams, ignoreUriCase } = match ?? EVERYTHING;
  const path = uri === undefined ? undefined : { ...stringMatch(uri), ignoreCase: isCaseless(uri, ignoreUriCase) };
  return {
    path: path ?? (needsPath ? stringMatch({ prefix: '/' }) : undefined),
    scheme: scheme && stringMatch(scheme),
    method: method && stringMatch(method),
    authority: authority && stringMatch(authority),
    headers: [...headerMatches(headers, false), ...headerMatches(withoutHeaders, true)],
    claims: [...claimMatches(headers, false), ...claimMatches(withoutHeaders, true)],
    query: Object.entries(queryParams ?? {}).map(([name, value]) => namedMatch(name, value, false)),
  };
}

/** Whether every request matches, as far as a port is concerned. */
export function isCatchAll(match: HttpMatchSpec | undefined): boolean {
  if (match === undefined) return true;
  const { uri, scheme, method, authority, headers = {}, withoutHeaders = {}, queryParams = {} } = match;
  const isAnyPath = uri === undefined || uri.prefix === '/' || uri.prefix === '' || uri.regex === '.*';
  const named = [headers, withoutHeaders, queryParams].some((conditions) => Object.keys(conditions).length > 0);
  return isAnyPath && !named && [scheme, method, authority].every((condition) => condition === undefined);
}

export function stringMatch({ exact, prefix, regex }: StringMatchSpec): StringMatch {
  return { kind: kindOf(exact, prefix, regex), ignoreCase: false };
}

function kindOf(exact: string | undefined, prefix: string | undefined, regex: string | undefined): StringMatch['kind'] {
  if (exact !== undefined) return { $case: 'exact', exact };
  if (prefix !== undefined) return { $case: 'prefix', prefix };
  if (regex !== undefined && regex !== PRESENCE_REGEX) return { $case: 'regex', regex };
  return { $case: 'present', present: true };
}

/** A regular expression says itself whether case matters. */
function isCaseless(uri: StringMatchSpec, ignoreUriCase = false): boolean {
  return ignoreUriCase && uri.regex === undefined;
}

function headerMatches(matches: StringMatchesSpec = {}, invert: boolean): NamedMatch[] {
  const own = Object.entries(matches).filter(([name]) => !isClaimKey(name));
  return own.map(([name, value]) => namedMatch(headerName(name), value, invert));
}

/** What is no path of a claim is refused with the object. */
function claimMatches(matches: StringMatchesSpec = {}, invert: boolean): ClaimMatch[] {
  return Object.entries(matches).flatMap(([name, value]) => {
    const path = claimPath(name);
    return path === undefined ? [] : [{ path: [...path], value: stringMatch(value), invert }];
  });
}

function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'host' ? ':authority' : lower;
}

function namedMatch(name: string, value: StringMatchSpec, invert: boolean): NamedMatch {
  return { name, value: stringMatch(value), invert };
}
