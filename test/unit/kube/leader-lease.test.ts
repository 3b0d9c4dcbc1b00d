import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { LeaderLease } from '../../../src/kube/leader-lease.ts';
import { LEASES } from '../../../src/kube/resource-kind.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';

describe('LeaderLease', () => {
  let api: FakeKubeApi;
  let client: KubeClient;
  let log: string[];
  const leases: LeaderLease[] = [];

  before(async () => {
    api = await FakeKubeApi.start();
    client = new KubeClient(api.config, { clock: systemClock });
  });
  beforeEach(() => {
    log = [];
  });
  afterEach(async () => {
    api.refuse = () => undefined;
    api.hang = () => false;
    for (const lease of leases.splice(0)) await lease.stop();
  });
  after(async () => {
    client.close();
    await api.stop();
  });

  function replica(identity: string, name: string): LeaderLease {
    const lease = new LeaderLease(
      { namespace: 'istio-system', name, identity, leaseDurationMs: 1000, renewDeadlineMs: 400, retryPeriodMs: 20 },
      { client, clock: systemClock, logger: silentLogger, random: Math.random },
      { started: () => log.push(`+${identity}`), stopped: () => log.push(`-${identity}`) },
    );
    leases.push(lease);
    lease.start();
    return lease;
  }

  const specOf = (name: string) =>
    api.get(LEASES, 'istio-system', name)?.['spec'] as Record<string, unknown> | undefined;

  it('makes one of two replicas the leader', async () => {
    const [a, b] = [replica('a', 'one'), replica('b', 'one')];
    await eventually('a leader', () => a.isLeader || b.isLeader);
    await eventually('several renewals', () => api.requests.filter((line) => line.startsWith('PUT')).length > 5);
    assert.equal(Number(a.isLeader) + Number(b.isLeader), 1);
    assert.equal(log.length, 1);
    assert.equal(specOf('one')?.['holderIdentity'], a.isLeader ? 'a' : 'b');
  });

  it('hands over at once when the leader stops', async () => {
    const a = replica('a', 'two');
    await eventually('a leads', () => a.isLeader);
    const b = replica('b', 'two');
    await a.stop();
    assert.equal(a.isLeader, false);
    await eventually('b leads', () => b.isLeader);
    assert.deepEqual(log, ['+a', '-a', '+b']);
    assert.equal(specOf('two')?.['leaseTransitions'], 1);
  });

  it('steps down while its requests hang, before the lease can expire', async () => {
    const a = replica('a', 'three');
    await eventually('a leads', () => a.isLeader);
    api.hang = (_, path) => path.endsWith('/three');
    await eventually('a stepped down', () => !a.isLeader);
    assert.deepEqual(log, ['+a', '-a']);
    api.hang = () => false;
    await eventually('a leads again', () => a.isLeader);
  });

  it('takes over a lease whose holder has gone silent, by its own clock', async () => {
    api.put(LEASES, {
      metadata: { namespace: 'istio-system', name: 'four' },
      spec: {
        holderIdentity: 'dead',
        leaseDurationSeconds: 1,
        // A clock ahead of ours must not delay the takeover.
        renewTime: '2099-01-01T00:00:00.000000Z',
        acquireTime: '2099-01-01T00:00:00.000000Z',
        leaseTransitions: 4,
      },
    });
    const a = replica('a', 'four');
    await eventually('a leads', () => a.isLeader);
    assert.equal(specOf('four')?.['leaseTransitions'], 5);
  });

  it('steps down when another holder is in the lease', async () => {
    const a = replica('a', 'five');
    await eventually('a leads', () => a.isLeader);
    const current = api.get(LEASES, 'istio-system', 'five');
    api.put(LEASES, {
      ...current,
      metadata: { namespace: 'istio-system', name: 'five' },
      spec: { holderIdentity: 'thief', leaseDurationSeconds: 600, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
    await eventually('a stepped down', () => !a.isLeader);
    assert.equal(a.holder, 'thief');
  });
});
