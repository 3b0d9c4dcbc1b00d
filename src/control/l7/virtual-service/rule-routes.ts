/** One HTTP rule to routes, one for each of its matches (facts l7-and-control 1.2). */
import type { CorsSpec, HttpMatchSpec, HttpRuleSpec } from '../../../model/manifest/virtual-service-spec.ts';
import type { Cors, HttpRoute } from '../../../proto/gen/ambit.ts';
import type { EffectiveRule } from './delegated-rules.ts';
import { buildFault } from './failure-policy.ts';
import { toMs } from './feed-number.ts';
import { buildHeaders } from './header-changes.ts';
import { buildAction, replacesPrefix } from './http-action.ts';
import { buildHttpMatch, isCatchAll, stringMatch } from './http-match.ts';
import type { ResolveBackend } from './route-backends.ts';
import { canHold, type RoutePlace } from './source-match.ts';

const MS_PER_SECOND = 1000;
const ANY_ORIGIN = '*';

export interface RuleRoutes {
  readonly routes: readonly HttpRoute[];
  /** Whether nothing is left for the rules after it. */
  readonly isLast: boolean;
}

export function buildRuleRoutes(effective: EffectiveRule, place: RoutePlace, resolve: ResolveBackend): RuleRoutes {
  const { rule, title } = effective;
  const matches = rule.match ?? [];
  const possible = matches.length === 0 ? [undefined] : matches.filter((match) => canHold(match, place));
  const routes: HttpRoute[] = [];
  for (const match of possible) {
    routes.push(buildRoute(rule, match, title, resolve));
    if (isCatchAll(match)) return { routes, isLast: true };
  }
  return { routes, isLast: false };
}

function buildRoute(
  rule: HttpRuleSpec,
  match: HttpMatchSpec | undefined,
  title: string,
  resolve: ResolveBackend,
): HttpRoute {
  const { request, response } = buildHeaders(rule.headers);
  return {
    name: routeName(rule, match, title),
    match: buildHttpMatch(match, replacesPrefix(rule)),
    action: buildAction(rule, match, resolve),
    requestHeaders: request,
    responseHeaders: response,
    fault: rule.fault && buildFault(rule.fault),
    cors: rule.corsPolicy && buildCors(rule.corsPolicy),
  };
}

/** `<rule>.<match>`, or the one that has a name; where neither has, the place of the rule. */
function routeName(rule: HttpRuleSpec, match: HttpMatchSpec | undefined, title: string): string {
  return [rule.name ?? '', match?.name ?? ''].filter((name) => name !== '').join('.') || title;
}

function buildCors(cors: CorsSpec): Cors {
  const { allowOrigin = [], allowOrigins = [] } = cors;
  const origins = allowOrigins.length > 0 ? allowOrigins : allowOrigin.map((exact) => ({ exact }));
  return {
    allowOrigins: origins.map((origin) => stringMatch(origin.exact === ANY_ORIGIN ? {} : origin)),
    allowMethods: [...(cors.allowMethods ?? [])],
    allowHeaders: [...(cors.allowHeaders ?? [])],
    exposeHeaders: [...(cors.exposeHeaders ?? [])],
    maxAgeSec: Math.floor(toMs(cors.maxAge) / MS_PER_SECOND),
    allowCredentials: cors.allowCredentials ?? false,
    answerUnmatchedPreflights: cors.unmatchedPreflights === 'IGNORE',
  };
}
