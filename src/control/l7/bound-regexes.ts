/**
 * No service gives its waypoint more regular expressions than it takes: routes from there on are replaced by one that
 * answers with 503, so that no request goes where a later route would have it. What one namespace has for its own clients
 * takes no room from others.
 */
import { RegexTotal, TOO_MANY_REGEXES } from '../../model/regex/regex-total.ts';
import type { HttpRoute, PathRewrite, PortRoutes, StringMatch } from '../../proto/gen/ambit.ts';
import { normalizedPath } from '../../routing/compile-match.ts';

export function boundRegexes(ports: readonly PortRoutes[]): readonly PortRoutes[] {
  const totals = new Map<string, RegexTotal>();
  return ports.map((port) => {
    const total = totals.get(port.clientNamespace) ?? new RegexTotal();
    totals.set(port.clientNamespace, total);
    const excess = port.http.findIndex((route) => !patternsOf(route).every((pattern) => total.add(pattern)));
    return excess < 0 ? port : { ...port, http: [...port.http.slice(0, excess), REFUSAL] };
  });
}

const REFUSAL: HttpRoute = {
  name: 'too-many-regular-expressions',
  match: undefined,
  action: {
    $case: 'directResponse',
    directResponse: {
      status: 503,
      body: Buffer.from(`the routes of this service have ${TOO_MANY_REGEXES}`),
    },
  },
  requestHeaders: undefined,
  responseHeaders: undefined,
  fault: undefined,
  cors: undefined,
};

function patternsOf({ match, cors, action }: HttpRoute): string[] {
  const texts: (StringMatch | undefined)[] = [
    // As waypoints spell it, for which it is another than the same text elsewhere.
    normalizedPath(match?.path),
    match?.method,
    match?.scheme,
    match?.authority,
    ...[...(match?.headers ?? []), ...(match?.query ?? []), ...(match?.claims ?? [])].map(({ value }) => value),
    ...(cors?.allowOrigins ?? []),
  ];
  const forward = action?.$case === 'forward' ? action.forward : undefined;
  const rewrites: (PathRewrite | undefined)[] = [
    forward?.path,
    ...(forward?.backends ?? []).map(({ path }) => path),
    action?.$case === 'redirect' ? action.redirect.path : undefined,
  ];
  return [
    ...texts.map((text) => (text?.kind?.$case === 'regex' ? text.kind.regex : undefined)),
    ...rewrites.map((rewrite) => (rewrite?.kind?.$case === 'regex' ? rewrite.kind.regex.pattern : undefined)),
  ].filter((pattern) => pattern !== undefined);
}
