import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fail } from '../../../src/base/result.ts';
import { proxyError } from '../../../src/hbone/proxy-error.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import type { Cancellation } from '../../../src/waypoint/cancellation.ts';
import type { Cluster } from '../../../src/waypoint/clusters.ts';
import type { HttpUpstreams } from '../../../src/waypoint/http-upstreams.ts';
import { mirrorRequest } from '../../../src/waypoint/mirror-request.ts';
import { ReplayBudget } from '../../../src/waypoint/request-body.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const self = createWorkload({ uid: 'waypoint' });

/** Sends a copy to where so many wait already, and no connection comes. */
function mirrored(waiting: number, budgetBytes = 1_000_000) {
  const clock = new ManualClock();
  const log: string[] = [];
  const cluster: Cluster = {
    name: undefined,
    policy: undefined,
    pick: () => ({
      endpoint: { workload: createWorkload({ uid: 'a' }), port: 80, service: undefined },
      priority: 0,
      done: () => void log.push('done'),
    }),
    holds: () => false,
    admitRequest: () => ({ release: () => void log.push('released') }),
    admitRetry: () => undefined,
    admitConnection: () => undefined,
  };
  const http = {
    waiting: () => waiting,
    acquire: (...[, , , , , signal]: [unknown, unknown, unknown, unknown, unknown, Cancellation]) => {
      log.push('waits');
      return new Promise((resolve) => signal.onAbort(() => resolve(fail(proxyError('CLIENT_DISCONNECTED', 'over')))));
    },
  } as unknown as HttpUpstreams;
  const replayBudget = new ReplayBudget(budgetBytes);
  const request = { cluster, version: 'http1', headers: [], body: Buffer.alloc(1000), self, forwarded: '' } as const;
  return { clock, log, replayBudget, sent: mirrorRequest(request, { http, clock, replayBudget }) };
}

describe('the copy of a request', () => {
  it('waits for a connection for so long only', async () => {
    const { clock, log, sent } = mirrored(0);
    clock.advance(15_000);
    await sent;
    assert.deepEqual(log, ['waits', 'done', 'released']);
  });

  it('holds its part of the budget of bodies until it is over, and is dropped where none is left', async () => {
    const { clock, replayBudget, sent } = mirrored(0, 20_000);
    assert.equal(replayBudget.take(10_000), false);
    clock.advance(15_000);
    await sent;
    assert.equal(replayBudget.take(20_000), true);
    const dropped = mirrored(0, 10_000);
    await dropped.sent;
    assert.deepEqual(dropped.log, []);
    assert.equal(dropped.replayBudget.take(10_000), true);
  });

  it('is dropped where too many wait', async () => {
    const { clock, log, sent } = mirrored(1024);
    await sent;
    assert.deepEqual(log, []);
    assert.deepEqual(clock.waitingMs, []);
  });
});
