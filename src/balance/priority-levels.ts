/**
 * Endpoints by priority: those of a lower one get what the higher ones cannot carry (facts l7-and-control 2.2). Shares of
 * localities are kept within a priority.
 */
import type { LoadBalancing } from '../model/service.ts';
import { matchesLocality } from './locality-pattern.ts';
import { type Candidate, groupByPreference, type Place } from './rank-endpoints.ts';

/** Endpoints that share a part of the traffic of their priority; without a share, each has its own weight. */
export interface LevelPart<C extends Candidate> {
  readonly share: number | undefined;
  readonly members: readonly C[];
}

export type Level<C extends Candidate> = readonly LevelPart<C>[];

/** How a policy wants localities to be told apart. */
export interface LocalitySettings {
  readonly distribute: readonly { readonly from: string; readonly to: ReadonlyMap<string, number> }[];
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Labels, each compared with the caller's own, or with a value after `=`. */
  readonly failoverPriority: readonly string[];
  /** By locality, where nothing of the above says it. */
  readonly localityFailover: boolean;
}

/** The value of a label of an endpoint, or of the caller. */
export type LabelOf<T> = (of: T, name: string) => string | undefined;

/** The priorities that have endpoints, highest first. Preferences of the service hold where the policy has none. */
export function priorityLevels<C extends Candidate>(
  candidates: readonly C[],
  self: Place,
  settings: LocalitySettings | undefined,
  balancing: LoadBalancing | undefined,
  label: { readonly own: (name: string) => string | undefined; readonly of: LabelOf<C> },
): readonly Level<C>[] {
  // Endpoints that the service itself keeps to are kept to under any policy.
  const groups = groupByPreference(candidates, self, balancing);
  if (settings === undefined) return plain(groups);
  const eligible = groups.flat();
  const distribution = settings.distribute.find(({ from }) => matchesLocality(from, self.locality));
  if (distribution !== undefined) return [distributed(eligible, distribution.to)];
  const { failover, failoverPriority } = settings;
  if (failoverPriority.length > 0) {
    const wanted = failoverPriority.map((entry) => wantedLabel(entry, label.own));
    return plain(byPriority(eligible, (one) => missedLabels(wanted, (name) => label.of(one, name))));
  }
  const prefers = balancing?.mode === 'Failover' && failover.length === 0;
  if (prefers || !settings.localityFailover) return plain(groups);
  const to = failover.find(({ from }) => from === self.locality.region)?.to;
  return plain(byPriority(eligible, ({ place }) => distance(self, place, to)));
}

function plain<C extends Candidate>(groups: readonly (readonly C[])[]): readonly Level<C>[] {
  return groups.filter(({ length }) => length > 0).map((members) => [{ share: undefined, members }]);
}

/** Localities that are not named get nothing. */
function distributed<C extends Candidate>(candidates: readonly C[], to: ReadonlyMap<string, number>): Level<C> {
  const parts = [...to].map(([pattern, share]) => ({
    share,
    members: candidates.filter(({ place }) => matchesLocality(pattern, place.locality)),
  }));
  return parts.filter(({ share, members }) => share > 0 && members.length > 0);
}

function byPriority<C>(candidates: readonly C[], priorityOf: (candidate: C) => number): readonly (readonly C[])[] {
  const groups = new Map<number, C[]>();
  for (const candidate of candidates) {
    const priority = priorityOf(candidate);
    const group = groups.get(priority);
    if (group === undefined) groups.set(priority, [candidate]);
    else group.push(candidate);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/** 0 for the same subzone, up to 3 for another region; 4 where another region was named to take over. */
function distance(self: Place, { locality }: Place, failoverRegion: string | undefined): number {
  const own = self.locality;
  if (own.region === locality.region) {
    if (own.zone !== locality.zone) return 2;
    return own.subzone === locality.subzone ? 0 : 1;
  }
  return failoverRegion === undefined || failoverRegion === locality.region ? 3 : 4;
}

interface WantedLabel {
  readonly name: string;
  readonly value: string | undefined;
}

function wantedLabel(entry: string, own: (name: string) => string | undefined): WantedLabel {
  const equals = entry.indexOf('=');
  if (equals < 0) return { name: entry, value: own(entry) };
  return { name: entry.slice(0, equals), value: entry.slice(equals + 1) };
}

/** How many labels there are from the first on that does not match. */
function missedLabels(wanted: readonly WantedLabel[], labelOf: (name: string) => string | undefined): number {
  const miss = wanted.findIndex(({ name, value }) => (labelOf(name) ?? '') !== (value ?? ''));
  return miss < 0 ? 0 : wanted.length - miss;
}
