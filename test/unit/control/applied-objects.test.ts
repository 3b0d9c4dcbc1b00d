import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { AppliedObjects } from '../../../src/control/applied-objects.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { SERVICES } from '../../../src/kube/resource-kind.ts';
import { waypointService } from '../../../src/model/waypoint-objects.ts';
import { eventually } from '../../helpers/eventually.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { waypointGateway } from '../../helpers/waypoint-gateway.ts';

describe('objects that are applied for a Gateway', { timeout: 60_000 }, () => {
  const apis: FakeKubeApi[] = [];
  after(async () => {
    for (const one of apis) await one.stop();
  });

  it('are repaired at once, and again only after a while when somebody goes on changing them', async () => {
    const api = await FakeKubeApi.start();
    apis.push(api);
    const client = new KubeClient(api.config, { clock: systemClock });
    const clock = new ManualClock();
    let changes = 0;
    const onChange = () => void changes++;
    const objects = new AppliedObjects([SERVICES], { client, clock, logger: silentLogger, random: () => 0, onChange });
    const gateway = waypointGateway();
    const apply = () => objects.apply(SERVICES, gateway.meta, waypointService(gateway));
    const applied = () => api.requests.filter((request) => request.startsWith('PATCH ')).length;
    /** By somebody else; resolves when it was seen. */
    const change = async (note: string) => {
      const before = changes;
      const { metadata, ...rest } = api.get(SERVICES, 'demo', 'gate') ?? assert.fail();
      api.put(SERVICES, { ...rest, metadata: { ...metadata, annotations: { note } } });
      await eventually('the change', () => changes > before);
    };
    await apply();
    objects.start();
    await eventually('the watch', () => api.watcherCount(SERVICES) === 1);
    await change('a');
    await apply();
    assert.equal(applied(), 2, 'a repair at once');
    await change('b');
    await apply();
    await apply();
    assert.equal(applied(), 2, 'the next one waits');
    assert.deepEqual(clock.waitingMs, [10_000]);
    const before = changes;
    clock.advance(10_000);
    assert.equal(changes, before + 1);
    await apply();
    assert.equal(applied(), 3);
    await objects.stop();
    client.close();
  });
});
