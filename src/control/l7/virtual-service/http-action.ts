/** What a rule does with a request: redirect, answer or forward it (facts l7-and-control 1.2, 10.4). */
import type {
  DirectResponseSpec,
  HttpMatchSpec,
  HttpRuleSpec,
  RedirectSpec,
} from '../../../model/manifest/virtual-service-spec.ts';
import {
  type DirectResponse,
  type HttpForward,
  type HttpRedirect,
  type HttpRoute,
  type PathRewrite,
  PortChoice,
} from '../../../proto/gen/ambit.ts';
import { buildRetry } from './failure-policy.ts';
import { toMs } from './feed-number.ts';
import { buildHeaders } from './header-changes.ts';
import { buildMirrors, buildWeightedBackends, type ResolveBackend } from './route-backends.ts';

const DEFAULT_REDIRECT_STATUS = 301;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** The answer for a service that is not there. */
const MISSING_STATUS = 503;

/** A delegate may have inherited a second action; the order is Istio's. */
export function buildAction(
  rule: HttpRuleSpec,
  match: HttpMatchSpec | undefined,
  resolve: ResolveBackend,
): HttpRoute['action'] {
  const { redirect, directResponse } = rule;
  if (redirect !== undefined) {
    // Istio lets Envoy find out that this is no redirect. Passing over the rule would hand its requests to the next one.
    if (!isRedirectStatus(redirect)) return { $case: 'forward', forward: forward(rule, match, resolve, []) };
    return { $case: 'redirect', redirect: buildRedirect(redirect) };
  }
  if (directResponse !== undefined) {
    return { $case: 'directResponse', directResponse: buildDirectResponse(directResponse) };
  }
  return { $case: 'forward', forward: forward(rule, match, resolve, rule.route ?? []) };
}

/** Whether something is done with the part of the path that was matched. */
export function replacesPrefix({ rewrite, redirect }: HttpRuleSpec): boolean {
  return (rewrite?.uri ?? '') !== '' || (redirect?.prefixRewrite ?? '') !== '';
}

/** Other codes of 300 to 399 are accepted, but nothing that redirects. */
export function isRedirectStatus({ redirectCode = 0 }: RedirectSpec): boolean {
  return redirectCode === 0 || REDIRECT_STATUSES.has(redirectCode);
}

function forward(
  rule: HttpRuleSpec,
  match: HttpMatchSpec | undefined,
  resolve: ResolveBackend,
  routes: NonNullable<HttpRuleSpec['route']>,
): HttpForward {
  const authority = buildHeaders(rule.headers).authority || (rule.rewrite?.authority ?? '');
  return {
    backends: buildWeightedBackends(routes, authority, resolve),
    path: pathRewrite(rule, match),
    authority,
    timeoutMs: toMs(rule.timeout),
    retry: buildRetry(rule),
    mirrors: buildMirrors(rule, resolve),
    missingStatus: MISSING_STATUS,
    session: undefined,
  };
}

/** A prefix is replaced by the text, anything else as a whole. */
function pathRewrite({ rewrite }: HttpRuleSpec, match: HttpMatchSpec | undefined): PathRewrite | undefined {
  const { uri = '', uriRegexRewrite } = rewrite ?? {};
  if (uri !== '') {
    const { exact, regex } = match?.uri ?? {};
    const isPrefix = exact === undefined && regex === undefined;
    return { kind: isPrefix ? { $case: 'prefix', prefix: uri } : { $case: 'full', full: uri } };
  }
  if (uriRegexRewrite === undefined) return undefined;
  const { match: pattern = '', rewrite: substitution = '' } = uriRegexRewrite;
  return { kind: { $case: 'regex', regex: { pattern, substitution } } };
}

function buildRedirect(redirect: RedirectSpec): HttpRedirect {
  const { scheme = '', authority = '', port = 0, derivePort, redirectCode = 0 } = redirect;
  return {
    scheme,
    authority,
    port,
    path: redirectPath(redirect),
    status: redirectCode || DEFAULT_REDIRECT_STATUS,
    portChoice: portChoice(port, derivePort),
  };
}

function portChoice(port: number, derivePort: RedirectSpec['derivePort']): PortChoice {
  if (port !== 0) return PortChoice.BY_SCHEME_OR_REQUEST;
  if (derivePort === undefined) return PortChoice.AS_CALLED;
  return derivePort === 'FROM_REQUEST_PORT' ? PortChoice.FROM_REQUEST_PORT : PortChoice.FROM_PROTOCOL_DEFAULT;
}

function redirectPath({ uri = '', prefixRewrite = '' }: RedirectSpec): PathRewrite | undefined {
  if (uri !== '') return { kind: { $case: 'full', full: uri } };
  return prefixRewrite === '' ? undefined : { kind: { $case: 'prefix', prefix: prefixRewrite } };
}

function buildDirectResponse({ status, body }: DirectResponseSpec): DirectResponse {
  const bytes = body?.bytes === undefined ? Buffer.from(body?.string ?? '') : Buffer.from(body.bytes, 'base64');
  return { status, body: bytes };
}
