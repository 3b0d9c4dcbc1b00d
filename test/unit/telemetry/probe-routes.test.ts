import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpAnswer } from '../../../src/net/http-endpoint.ts';
import { MAX_PROBES, PROBE_DEADLINE_MS, type ProbeQuestion, probeRoutes } from '../../../src/telemetry/probe-routes.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

function routes(probe: (question: ProbeQuestion) => Promise<{ steps: []; next: string } | { refused: string }>) {
  const clock = new ManualClock();
  const handler = probeRoutes({ clock, probe })['GET /probe'];
  const ask = async (query: string): Promise<HttpAnswer> => {
    const url = new URL(`http://localhost/probe?${query}`);
    return (await handler?.({ method: 'GET', url, headers: {}, remoteAddress: '127.0.0.1' })) ?? assert.fail();
  };
  return { clock, ask };
}

const REPORT = { steps: [], next: 'shop/cart' } as const;

describe('the endpoint that tries ways', () => {
  it('reads whose way to where is asked for', async () => {
    const asked: ProbeQuestion[] = [];
    const { ask } = routes((question) => {
      asked.push(question);
      return Promise.resolve({ steps: [], next: 'shop/cart' });
    });
    const answer = await ask('pod=shop/web&name=cart&ip=10.0.0.1&port=80');
    assert.deepEqual([answer.status, JSON.parse(String(answer.body))], [200, REPORT]);
    await ask('pod=shop/web&name=cart');
    assert.deepEqual(asked, [
      { pod: 'shop/web', name: 'cart', destination: { ip: '10.0.0.1', port: 80 } },
      { pod: 'shop/web', name: 'cart', destination: undefined },
    ]);
  });

  it('refuses what is no question, and passes on why a proxy does not answer one', async () => {
    const { ask } = routes(() => Promise.resolve({ refused: '10.0.0.1 is nobody of the mesh' }));
    for (const query of ['', 'ip=10.0.0.1', 'ip=cart&port=80', 'ip=10.0.0.1&port=0']) {
      assert.equal((await ask(query)).status, 400, query);
    }
    const refused = await ask('ip=10.0.0.1&port=80');
    assert.deepEqual([refused.status, refused.body], [403, '10.0.0.1 is nobody of the mesh\n']);
  });

  it('is bounded in number and in time', async () => {
    const { clock, ask } = routes(() => new Promise(() => undefined));
    const running = Array.from({ length: MAX_PROBES }, () => ask('ip=10.0.0.1&port=80'));
    assert.equal((await ask('ip=10.0.0.1&port=80')).status, 429);
    clock.advance(PROBE_DEADLINE_MS);
    assert.deepEqual(await Promise.all(running.map(async (one) => (await one).status)), [504, 504, 504, 504]);
  });

  it('takes the next question when one is answered', async () => {
    const { clock, ask } = routes(() => Promise.resolve({ steps: [], next: '' }));
    for (let count = 0; count < MAX_PROBES * 2; count++) assert.equal((await ask('ip=10.0.0.1&port=80')).status, 200);
    assert.deepEqual(clock.waitingMs, [], 'nothing waits for those that ended');
  });
});
