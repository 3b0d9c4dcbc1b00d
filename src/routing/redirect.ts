/** Where a redirected client is sent (facts l7-and-control 1.2 redirect, 4.4 RequestRedirect). */
import { type HttpMatch, type HttpRedirect, PortChoice } from '../proto/gen/ambit.ts';
import type { RegexPool } from './regex-pool.ts';
import { compilePathRewrite, rewriteTarget } from './rewrite-path.ts';
import type { RoutedRequest } from './routed-request.ts';

/** @param calledPort the port of the service that the client called */
export type Location = (request: RoutedRequest, calledPort: number) => string;

const WELL_KNOWN: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** @throws Error for a regular expression that RE2 or the pool does not take */
export function compileRedirect(redirect: HttpRedirect, match: HttpMatch | undefined, pool?: RegexPool): Location {
  const path = compilePathRewrite(redirect.path, match, pool);
  return (request, calledPort) => {
    const scheme = redirect.scheme === '' ? request.scheme : redirect.scheme.toLowerCase();
    const target = path === undefined ? request.target : rewriteTarget(request.target, path, request.regexBudget);
    return `${scheme}://${authorityOf(redirect, scheme, request, calledPort)}${target}`;
  };
}

function authorityOf(redirect: HttpRedirect, scheme: string, request: RoutedRequest, calledPort: number): string {
  const asCalled = redirect.port === 0 && redirect.portChoice === PortChoice.AS_CALLED;
  if (asCalled) {
    if (redirect.authority !== '') return redirect.authority;
    return portWhereNeeded(portWhereNeeded(request.authority, request.scheme), scheme);
  }
  const host = redirect.authority === '' ? hostOf(request.authority) : redirect.authority;
  return portWhereNeeded(`${host}:${portOf(redirect, scheme, calledPort)}`, scheme);
}

function portOf({ port, scheme, portChoice }: HttpRedirect, finalScheme: string, calledPort: number): number {
  if (port !== 0) return port;
  const bySchemeAsked = portChoice === PortChoice.BY_SCHEME_OR_REQUEST && scheme !== '';
  if (bySchemeAsked || portChoice === PortChoice.FROM_PROTOCOL_DEFAULT) return WELL_KNOWN[finalScheme] ?? calledPort;
  return calledPort;
}

/** Without the port that the scheme has anyway. */
function portWhereNeeded(authority: string, scheme: string): string {
  const suffix = `:${WELL_KNOWN[scheme] ?? ''}`;
  return suffix.length > 1 && authority.endsWith(suffix) ? authority.slice(0, -suffix.length) : authority;
}

function hostOf(authority: string): string {
  return authority.replace(/:\d*$/, '');
}
