import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { waitForWaypoints } from '../../../src/cli/wait-for-waypoints.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

/** A clock on which every wait is over at once. */
class ImpatientClock extends ManualClock {
  override after(delayMs: number, run: () => void) {
    const timer = super.after(delayMs, run);
    queueMicrotask(() => this.advance(delayMs));
    return timer;
  }
}

function waypoint(type: string, status: string, message: string, observedGeneration = 1): KubeObject {
  const conditions = [{ type, status, reason: 'R', message, observedGeneration }];
  return { metadata: { name: 'gate', namespace: 'demo', generation: 1 }, status: { conditions } };
}

const PENDING = waypoint('Programmed', 'False', 'no pod is ready');
const READY = waypoint('Programmed', 'True', 'programmed');

async function waitFor(...looks: readonly KubeObject[]): Promise<string[]> {
  const lines: string[] = [];
  let look = 0;
  const next = () => Promise.resolve([looks[Math.min(look++, looks.length - 1)] as KubeObject]);
  const deps = { clock: new ImpatientClock(), report: (line: string) => void lines.push(line) };
  await waitForWaypoints(next, 10_000, deps).catch((error: Error) => lines.push(error.message));
  return lines;
}

describe('waiting for waypoints', () => {
  it('tells once what it waits for, and ends when they are ready', async () => {
    assert.deepEqual(await waitFor(PENDING, PENDING, READY), ['waiting: waypoint demo/gate: no pod is ready']);
  });

  it('does not believe a status about a former version', async () => {
    const stale = waypoint('Programmed', 'True', 'programmed', 0);
    assert.deepEqual(await waitFor(stale, READY), ['waiting: waypoint demo/gate: Waiting for controller']);
  });

  it('ends with what held them up when the time is over', async () => {
    const lines = await waitFor(PENDING);
    assert.equal(lines.at(-1), 'not ready in time: waypoint demo/gate: no pod is ready');
  });

  it('ends at once when one is not accepted', async () => {
    assert.deepEqual(await waitFor(waypoint('Accepted', 'False', 'm')), [
      'not accepted: waypoint demo/gate: Waiting for controller',
    ]);
  });
});
