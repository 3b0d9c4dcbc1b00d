/**
 * How much of the traffic each priority gets (facts l7-and-control 2.2, 10.5): a priority that is healthy enough gets all
 * that is left, else as much as its health allows, with some reserve.
 */

export interface PriorityHealth {
  readonly healthy: number;
  readonly total: number;
}

export interface PriorityLoad {
  /** Of 1. */
  readonly share: number;
  /** Too few are healthy to carry the load: all of its hosts are used. */
  readonly panics: boolean;
}

/** Hosts, of a priority or of a locality, carry the load of all while no more than 2 of 7 are gone. */
export const OVERPROVISIONING = 1.4;

/** @param panicPercent healthy hosts below which a priority panics, when all together cannot carry the load; 0: never */
export function priorityLoads(levels: readonly PriorityHealth[], panicPercent: number): readonly PriorityLoad[] {
  const capacities = levels.map(({ healthy, total }) =>
    total === 0 ? 0 : Math.min(1, (OVERPROVISIONING * healthy) / total),
  );
  const available = Math.min(
    1,
    capacities.reduce((sum, capacity) => sum + capacity, 0),
  );
  const panics = levels.map(
    ({ healthy, total }) => available < 1 && total > 0 && (100 * healthy) / total < panicPercent,
  );
  if (available === 0) return inTotalPanic(levels, panics);
  let left = 1;
  return capacities.map((capacity, index) => {
    const share = Math.min(left, capacity / available);
    left -= share;
    return { share, panics: panics[index] === true };
  });
}

/** Nobody is healthy: priorities share by their size where they may panic at all. */
function inTotalPanic(levels: readonly PriorityHealth[], panics: readonly boolean[]): readonly PriorityLoad[] {
  const total = levels.reduce((sum, level) => sum + level.total, 0);
  return levels.map((level, index) => ({
    share: total === 0 ? 0 : level.total / total,
    panics: panics[index] === true,
  }));
}
