/** Waits until waypoints run, and says what holds them up. */
import { type Clock, sleep } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { summaryOf, type WaypointErrorCode, type WaypointSummary } from './waypoint-gateways.ts';

export interface WaitDeps {
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

const POLL_MS = 500;

/**
 * @param look reads the waypoints
 * @throws AmbitError WAYPOINT_NOT_READY when the time is over, or one cannot become ready as it is written
 */
export async function waitForWaypoints(
  look: () => Promise<readonly KubeObject[]>,
  timeoutMs: number,
  { clock, report }: WaitDeps,
): Promise<readonly KubeObject[]> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let shown = '';
  for (;;) {
    const waypoints = await look();
    const open = waypoints.map(summaryOf).filter(({ programmed }) => programmed !== 'True');
    if (open.length === 0) return waypoints;
    const text = open.map(textOf).join('; ');
    const hopeless = open.filter(({ refused }) => refused);
    if (hopeless.length > 0) {
      throw new AmbitError<WaypointErrorCode>('WAYPOINT_NOT_READY', `not accepted: ${hopeless.map(textOf).join('; ')}`);
    }
    if (text !== shown) report(`waiting: ${text}`);
    shown = text;
    if (clock.monotonicMs() >= deadlineMs) {
      throw new AmbitError<WaypointErrorCode>('WAYPOINT_NOT_READY', `not ready in time: ${text}`);
    }
    await sleep(clock, POLL_MS);
  }
}

function textOf({ namespace, name, message }: WaypointSummary): string {
  return `waypoint ${namespace}/${name}: ${message}`;
}
