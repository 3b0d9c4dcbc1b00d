/** Where requests go: shares among destinations, and copies (facts l7-and-control 1.2). */
import type {
  DestinationSpec,
  HttpRuleSpec,
  PercentSpec,
  RouteSpec,
} from '../../../model/manifest/virtual-service-spec.ts';
import type { Backend, Mirror, WeightedBackend } from '../../../proto/gen/ambit.ts';
import { toPpm, toUint32 } from './feed-number.ts';
import { buildHeaders } from './header-changes.ts';

/** Undefined where the mesh has no such service. */
export type ResolveBackend = (destination: DestinationSpec) => Backend | undefined;

const ALL_PERCENT = 100;

/** One destination takes all, whatever its weight. @param authority of the rule: it wins over that of a single destination */
export function buildWeightedBackends(
  routes: readonly RouteSpec[],
  authority: string,
  resolve: ResolveBackend,
): WeightedBackend[] {
  const [only] = routes;
  if (only !== undefined && routes.length === 1) {
    const backend = weightedBackend(only, 1, resolve);
    return [authority === '' ? backend : { ...backend, authority: '' }];
  }
  return routes.flatMap((route) => {
    const weight = toUint32(route.weight ?? 0);
    return weight === 0 ? [] : [weightedBackend(route, weight, resolve)];
  });
}

function weightedBackend(
  { destination, headers }: RouteSpec,
  weight: number,
  resolve: ResolveBackend,
): WeightedBackend {
  const { request, response, authority } = buildHeaders(headers);
  return {
    weight,
    backend: resolve(destination),
    requestHeaders: request,
    responseHeaders: response,
    path: undefined,
    authority,
  };
}

/** Copies to services that are not there are left out. */
export function buildMirrors(rule: HttpRuleSpec, resolve: ResolveBackend): Mirror[] {
  const { mirror, mirrorPercentage, mirrorPercent, mirrors = [] } = rule;
  const legacy: (readonly [DestinationSpec, PercentSpec | undefined, number])[] =
    mirror === undefined ? [] : [[mirror, mirrorPercentage, mirrorPercent ?? ALL_PERCENT]];
  const listed = mirrors.map(({ destination, percentage }) => [destination, percentage, ALL_PERCENT] as const);
  return [...legacy, ...listed].flatMap(([destination, percentage, absent]) => {
    const sharePpm = toPpm(percentage, absent);
    const backend = sharePpm === 0 ? undefined : resolve(destination);
    return backend === undefined ? [] : [{ backend, sharePpm }];
  });
}
