import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { type Dashboard, serveDashboard } from '../../../src/dashboard/dashboard-server.ts';
import { LiveTap } from '../../../src/dashboard/live-tap.ts';
import type { MeshPrograms } from '../../../src/dashboard/mesh-programs.ts';

/** Proxies that are tapped until the browser leaves. */
const programs: MeshPrograms = {
  controlPort: 0,
  proxies: async () => [{ role: 'ztunnel', namespace: 'shop', name: 'ztunnel', node: '', ip: '', ready: true }],
  ask: async () => '',
  follow: (_proxy, _at, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
};

describe('the server of the dashboard', () => {
  const browsers = new AbortController();
  let dashboard: Dashboard;
  const get = (path: string) => fetch(`http://127.0.0.1:${dashboard.port}${path}`, { signal: browsers.signal });

  before(async () => {
    dashboard = await serveDashboard(
      { host: '127.0.0.1', port: 0, pages: '' },
      {
        gate: { admit: async () => ({ mayRead: () => true }) },
        api: new Map(),
        streams: new Map([
          ['/api/tap', new LiveTap(() => programs, systemClock).handler],
          ['/api/broken', () => Promise.reject(new Error('the list of pods cannot be read'))],
          [
            '/api/breaks',
            async (_viewer, _query, sink) => {
              sink.send('record', {});
              throw new Error('it broke');
            },
          ],
          [
            '/api/ends',
            async (_viewer, _query, sink) => {
              sink.send('record', {});
            },
          ],
        ]),
      },
    );
  });

  after(async () => {
    browsers.abort();
    await dashboard.close();
  });

  it('tells a browser why it gets no stream, with a status that is no success', async () => {
    const answer = await get('/api/broken');
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /the list of pods cannot be read/);
  });

  it('has no page whose name no file can have', async () => {
    for (const path of ['/%00', `/${'a'.repeat(300)}`, '/%zz', '/nothing'])
      assert.equal((await get(path)).status, 404, path);
  });

  it('refuses the fifth browser at the tap, and says why', async () => {
    const open = await Promise.all(['1', '2', '3', '4'].map(() => get('/api/tap')));
    assert.deepEqual(
      open.map(({ status, headers }) => `${status} ${headers.get('content-type')}`),
      Array.from({ length: 4 }, () => '200 text/event-stream'),
    );
    const fifth = await get('/api/tap');
    assert.equal(fifth.status, 502);
    assert.match(await fifth.text(), /4 of your browsers look at the tap already/);
  });

  it('ends a stream that is over, and breaks one that fails on the way', async () => {
    assert.match(await (await get('/api/ends')).text(), /event: record/);
    await assert.rejects(async () => (await get('/api/breaks')).text(), 'a browser must not take it for whole');
  });
});
