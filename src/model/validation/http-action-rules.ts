/** What an HTTP rule of a VirtualService does other than forward: rewrite, redirect, answer (facts l7-and-control 1.2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { regexProblem } from './regex-syntax.ts';
import { authorityProblem, checkPort, numberOf, quoted } from './value-rules.ts';

const REDIRECT_CODES = [0, 301, 302, 303, 307, 308];
const REDIRECT_PARTS = ['uri', 'prefixRewrite', 'authority', 'scheme', 'port', 'derivePort'];
/** A longer body is refused. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** A longer body gives a warning: every proxy keeps it in memory. */
export const LARGE_BODY_BYTES = 100 * 1024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function checkRewrite(rewrite: FieldReader): void {
  if (!rewrite.isPresent) return;
  const isEmpty = !['uri', 'authority', 'uriRegexRewrite'].some((name) => isGiven(rewrite, name));
  if (isEmpty) rewrite.report(undefined, 'needs uri, uriRegexRewrite or authority');
  checkAuthority(rewrite);
  const regex = rewrite.child('uriRegexRewrite');
  if (!regex.isPresent) return;
  if (isGiven(rewrite, 'uri')) rewrite.report('uriRegexRewrite', 'cannot be combined with uri');
  for (const name of ['match', 'rewrite']) if (!isGiven(regex, name)) regex.report(name, 'is required');
  const problem = regexProblem(regex.string('match') ?? '');
  if (problem !== undefined) regex.report('match', problem);
}

/** @param matches of the rule */
export function checkRedirect(redirect: FieldReader, matches: readonly FieldReader[], warn: ReportProblem): void {
  if (!redirect.isPresent) return;
  if (!REDIRECT_PARTS.some((name) => isGiven(redirect, name))) {
    redirect.report(undefined, `changes nothing: needs one of ${REDIRECT_PARTS.slice(0, -1).join(', ')}`);
  }
  checkAuthority(redirect);
  if (isGiven(redirect, 'prefixRewrite')) {
    if (isGiven(redirect, 'uri')) redirect.report('prefixRewrite', 'cannot be combined with uri');
    if (matches.some((match) => !match.child('uri').has('prefix'))) {
      redirect.report('prefixRewrite', 'needs a uri.prefix in every match, as that is what it replaces');
    }
  }
  const scheme = redirect.string('scheme') ?? '';
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    redirect.report('scheme', `must be http or https, is ${quoted(scheme)}`);
  }
  checkPort(redirect, 'port');
  const code = numberOf(redirect, 'redirectCode') ?? 0;
  if (code !== 0 && !(code >= 300 && code <= 399)) redirect.report('redirectCode', `must be 3xx, is ${code}`);
  else if (!REDIRECT_CODES.includes(code)) {
    warn([...redirect.path, 'redirectCode'], `${code} does not redirect: 301, 302, 303, 307 and 308 do`);
  }
}

export function checkDirectResponse(response: FieldReader, warn: ReportProblem): void {
  if (!response.isPresent) return;
  const status = numberOf(response, 'status');
  if (status !== undefined && !(status >= 200 && status <= 599)) {
    response.report('status', `must be from 200 to 599, is ${status}`);
  }
  const body = response.child('body');
  const encoded = body.string('bytes') ?? '';
  if (!BASE64.test(encoded)) body.report('bytes', 'is not base64');
  const bytes = encoded === '' ? Buffer.byteLength(body.string('string') ?? '') : (encoded.length * 3) / 4;
  if (bytes > MAX_BODY_BYTES) response.report('body', `must have ${MAX_BODY_BYTES} bytes at most`);
  else if (bytes > LARGE_BODY_BYTES) {
    warn([...response.path, 'body'], `has more than ${LARGE_BODY_BYTES} bytes, which every proxy keeps in memory`);
  }
}

function checkAuthority(action: FieldReader): void {
  const authority = action.string('authority') ?? '';
  const problem = authority === '' ? undefined : authorityProblem(authority);
  if (problem !== undefined) action.report('authority', problem);
}

function isGiven(reader: FieldReader, name: string): boolean {
  return reader.has(name) && reader.raw(name) !== '';
}
