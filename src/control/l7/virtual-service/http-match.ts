/** The conditions of an HTTP rule for the feed (facts l7-and-control 1.2). */
import type {
  HttpMatchSpec,
  StringMatchesSpec,
  StringMatchSpec,
} from '../../../model/manifest/virtual-service-spec.ts';
import type { HttpMatch, NamedMatch, StringMatch } from '../../../proto/gen/ambit.ts';

/** Claims of tokens are known to gateways only, so a condition on one cannot be met. */
const CLAIMS = '@request.auth.claims';
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
    query: Object.entries(queryParams ?? {}).map(([name, value]) => namedMatch(name, value, false)),
  };
}

/** Whether the match asks for claims of a token. */
export function needsClaims({ headers = {}, withoutHeaders = {} }: HttpMatchSpec): boolean {
  return [headers, withoutHeaders].some((names) => Object.keys(names).some((name) => name.startsWith(CLAIMS)));
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
  return Object.entries(matches).map(([name, value]) => namedMatch(headerName(name), value, invert));
}

function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'host' ? ':authority' : lower;
}

function namedMatch(name: string, value: StringMatchSpec, invert: boolean): NamedMatch {
  return { name, value: stringMatch(value), invert };
}
