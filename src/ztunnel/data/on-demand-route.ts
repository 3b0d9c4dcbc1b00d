/**
 * A route decided with `XDS_ON_DEMAND`: what the decision needs and the state does not have is asked for first.
 *
 * Invariants:
 * - A waypoint or gateway that does not turn up stays the error it is; asking never opens a way round it.
 * - Without an answer nothing is known of the destination, so the connection fails: it is never taken for one outside.
 */
import { fail, type Result } from '../../base/result.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import type { Workload } from '../../model/workload.ts';
import type { Destination, OutboundRoute } from '../resolve-destination.ts';
import type { OnDemandLookups } from './on-demand-lookups.ts';
import { type PodContext, workloadText } from './pod-context.ts';

/** Every round of questions settles a key; a route that needs more of them has no end. */
const MAX_ROUNDS = 16;

/** The route, at once when nothing is missing, else after the answers. */
export function onDemandRoute(
  context: Pick<PodContext, 'resolver' | 'config' | 'local'>,
  lookups: OnDemandLookups,
  source: Workload,
  destination: Destination,
): Result<OutboundRoute, ProxyError> | Promise<Result<OutboundRoute, ProxyError>> {
  const key = lookups.addressKey(context.config.network, destination.ip);
  if (key !== undefined) return resolveAfter([key], context, lookups, destination);
  const missing: string[] = [];
  const route = context.resolver.resolve(source, destination, missing);
  const wanted = missing.filter((one) => !lookups.isSettled(one));
  return wanted.length === 0 ? route : resolveAfter(wanted, context, lookups, destination);
}

async function resolveAfter(
  first: readonly string[],
  { resolver, local }: Pick<PodContext, 'resolver' | 'local'>,
  lookups: OnDemandLookups,
  destination: Destination,
): Promise<Result<OutboundRoute, ProxyError>> {
  let wanted = first;
  for (let round = 0; ; round++) {
    const answered = await lookups.fetch(wanted);
    if (!answered) return fail(proxyError('NO_ANSWER', `no answer from the control plane about: ${wanted.join(', ')}`));
    // The pod may be gone or be another one by now.
    const source = local.current();
    if (source === undefined) {
      const text = `failed to fetch information about local workload: ${workloadText(local.info)}`;
      return fail(proxyError('UNKNOWN_LOCAL_WORKLOAD', text));
    }
    const missing: string[] = [];
    const route = resolver.resolve(source, destination, missing);
    wanted = missing.filter((key) => !lookups.isSettled(key));
    if (wanted.length === 0 || round === MAX_ROUNDS) return route;
  }
}
