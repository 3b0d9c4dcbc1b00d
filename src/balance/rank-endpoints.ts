/**
 * Locality- and health-aware choice of an endpoint (facts ztunnel-wire 6.3 to 6.5): the endpoints of the best rank, then
 * random by weight. The ranking is made once per service, port and place of the caller; a pick is a binary search.
 */
import type { LoadBalancing, LoadBalancingScope } from '../model/service.ts';
import type { Locality } from '../model/workload.ts';

/** Where a caller or an endpoint is. */
export interface Place {
  readonly network: string;
  readonly clusterId: string;
  readonly node: string;
  readonly locality: Locality;
}

/** An endpoint with what the choice depends on. */
export interface Candidate {
  readonly place: Place;
  readonly weight: number;
}

/** The endpoints that may be picked, with the running sum of their weights. */
export interface EndpointGroup<C extends Candidate> {
  readonly candidates: readonly C[];
  readonly cumulativeWeights: Float64Array;
}

/** The group to pick from; empty when no endpoint is eligible. `undefined` preferences: all endpoints are equal. */
export function rankEndpoints<C extends Candidate>(
  candidates: readonly C[],
  source: Place,
  balancing: LoadBalancing | undefined,
): EndpointGroup<C> {
  const eligible = candidates.filter((candidate) => candidate.weight > 0);
  return toGroup(bestRank(eligible, source, balancing));
}

/** Endpoints in groups, the preferred ones first; one group unless the service has preferences that may fail over. */
export function groupByPreference<C extends Candidate>(
  candidates: readonly C[],
  source: Place,
  balancing: LoadBalancing | undefined,
): readonly (readonly C[])[] {
  const eligible = candidates.filter((candidate) => candidate.weight > 0);
  if (balancing?.mode !== 'Failover') return [bestRank(eligible, source, balancing)];
  const groups = new Map<number, C[]>();
  for (const candidate of eligible) {
    const rank = leadingMatches(balancing.routingPreferences, source, candidate.place);
    const group = groups.get(rank);
    if (group === undefined) groups.set(rank, [candidate]);
    else group.push(candidate);
  }
  return [...groups].sort(([a], [b]) => b - a).map(([, group]) => group);
}

/** A random member of the group by weight; undefined when the group is empty. */
export function pickEndpoint<C extends Candidate>(group: EndpointGroup<C>, random: () => number): C | undefined {
  const { candidates, cumulativeWeights } = group;
  const total = cumulativeWeights[candidates.length - 1] ?? 0;
  const point = random() * total;
  let low = 0;
  let high = candidates.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulativeWeights[middle] ?? 0) > point) high = middle;
    else low = middle + 1;
  }
  return candidates[low];
}

function bestRank<C extends Candidate>(
  candidates: readonly C[],
  source: Place,
  balancing: LoadBalancing | undefined,
): readonly C[] {
  const preferences = balancing?.routingPreferences ?? [];
  switch (balancing?.mode ?? 'Standard') {
    case 'Passthrough':
      return [];
    case 'Strict':
      return candidates.filter((candidate) => preferences.every((scope) => matches(scope, source, candidate.place)));
    case 'Failover':
      return highestRanked(candidates, source, preferences);
    case 'Standard':
      return candidates;
  }
}

function highestRanked<C extends Candidate>(
  candidates: readonly C[],
  source: Place,
  preferences: readonly LoadBalancingScope[],
): readonly C[] {
  let best = Number.NEGATIVE_INFINITY;
  let group: C[] = [];
  for (const candidate of candidates) {
    const rank = leadingMatches(preferences, source, candidate.place);
    if (rank < best) continue;
    if (rank > best) group = [];
    best = rank;
    group.push(candidate);
  }
  return group;
}

/**
 * How many leading preferences match. A network preference in first place outranks everything, but endpoints of other
 * networks are still ranked among themselves by the rest.
 */
function leadingMatches(preferences: readonly LoadBalancingScope[], source: Place, place: Place): number {
  const otherNetwork = preferences[0] === 'Network' && source.network !== place.network;
  const scopes = otherNetwork ? preferences.slice(1) : preferences;
  const firstMiss = scopes.findIndex((scope) => !matches(scope, source, place));
  const rank = firstMiss < 0 ? scopes.length : firstMiss;
  return otherNetwork ? rank - preferences.length : rank;
}

function matches(scope: LoadBalancingScope, source: Place, place: Place): boolean {
  switch (scope) {
    case 'Region':
      return source.locality.region === place.locality.region;
    case 'Zone':
      return source.locality.zone === place.locality.zone;
    case 'Subzone':
      return source.locality.subzone === place.locality.subzone;
    case 'Node':
      return source.node === place.node;
    case 'Cluster':
      return source.clusterId === place.clusterId;
    case 'Network':
      return source.network === place.network;
  }
}

function toGroup<C extends Candidate>(candidates: readonly C[]): EndpointGroup<C> {
  const cumulativeWeights = new Float64Array(candidates.length);
  let sum = 0;
  for (const [index, candidate] of candidates.entries()) {
    sum += candidate.weight;
    cumulativeWeights[index] = sum;
  }
  return { candidates, cumulativeWeights };
}
