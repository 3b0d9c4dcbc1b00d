/** A route as the feed brings it, that says no more than what it matches and where it leads to. */
import { HttpForward, type HttpMatch, HttpRoute, type WeightedBackend } from '../src/proto/gen/ambit.ts';

/** @param match for every request what it leaves out @param backends none: the service that is called */
export function forwardRoute(
  name: string,
  match: Partial<HttpMatch>,
  backends: readonly Partial<WeightedBackend>[] = [],
): HttpRoute {
  const forward = HttpForward.create({ backends: [...backends] });
  return HttpRoute.create({ name, match, action: { $case: 'forward', forward } });
}
