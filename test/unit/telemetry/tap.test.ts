import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, it } from 'node:test';
import { type Logger, silentLogger } from '../../../src/base/logger.ts';
import { serveHttp } from '../../../src/net/http-endpoint.ts';
import { matchesFilter, Tap, type TapFilter, type TapRecord } from '../../../src/telemetry/tap.ts';
import { MAX_TAP_LISTENERS, tapRoutes } from '../../../src/telemetry/tap-routes.ts';
import { tappedLogger } from '../../../src/telemetry/tapped-logger.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const record = (fields: TapRecord['fields'] = {}): TapRecord => ({ timeMs: 0, kind: 'request', fields });

describe('a tap', () => {
  it('gives a listener so many a second, and counts the rest', () => {
    const clock = new ManualClock();
    const tap = new Tap(clock);
    const seen: TapRecord[] = [];
    const deliver = (one: TapRecord) => seen.push(one) > 0;
    const { end, takeSkipped } = tap.listen({ matches: () => true, maxPerSec: 3, deliver });
    for (let i = 0; i < 10; i++) tap.offer(record());
    assert.deepEqual([seen.length, takeSkipped(), takeSkipped()], [3, 7, 0]);
    clock.advance(1000);
    tap.offer(record());
    assert.equal(seen.length, 4);
    end();
    tap.offer(record());
    assert.deepEqual([seen.length, tap.isActive], [4, false]);
  });

  it('counts what a slow listener does not take', () => {
    const tap = new Tap(new ManualClock());
    const { takeSkipped } = tap.listen({ matches: () => true, maxPerSec: 100, deliver: () => false });
    tap.offer(record());
    assert.equal(takeSkipped(), 1);
  });

  it('finds what a filter means', () => {
    const one = record({
      method: 'GET',
      path: '/items/1',
      response_code: 503,
      'src.workload': 'web',
      'src.namespace': 'shop',
      'dst.workload': 'cart-1',
      'dst.namespace': 'stock',
    });
    const found: TapFilter[] = [
      {},
      { namespace: 'stock' },
      { namespace: 'shop', method: 'get' },
      { workload: 'cart' },
      { path: '/items' },
      { status: '503' },
      { status: '5xx' },
    ];
    const missed: TapFilter[] = [
      { namespace: 'sho' },
      { workload: 'art' },
      { method: 'POST' },
      { path: '/other' },
      { status: '50' },
      { status: '4xx' },
    ];
    for (const filter of found) assert.equal(matchesFilter(filter, one), true, JSON.stringify(filter));
    for (const filter of missed) assert.equal(matchesFilter(filter, one), false, JSON.stringify(filter));
  });
});

describe('the access log with a tap', () => {
  function lab(level: 'info' | 'off') {
    const lines: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      info: (message) => void lines.push(message),
      enabled: () => level === 'info',
    };
    const clock = new ManualClock();
    const tap = new Tap(clock);
    return { lines, tap, logger: tappedLogger(logger, tap, clock) };
  }

  it('writes no line that it was not to write, and asks for none while nobody listens', () => {
    const { lines, tap, logger } = lab('off');
    assert.equal(logger.enabled('info'), false);
    const seen: TapRecord[] = [];
    tap.listen({ matches: () => true, maxPerSec: 1, deliver: (one) => seen.push(one) > 0 });
    assert.deepEqual([logger.enabled('info'), logger.enabled('debug')], [true, false]);
    logger.info('request complete', { path: '/' });
    assert.deepEqual([lines, seen.map(({ kind }) => kind)], [[], ['request']]);
  });

  it('shows a tap no secrets of a path, and of a long one the beginning, and writes it as it is', () => {
    const { tap, logger } = lab('off');
    const seen: TapRecord[] = [];
    tap.listen({ matches: () => true, maxPerSec: 2, deliver: (one) => seen.push(one) > 0 });
    const fields = { path: '/login?user=mia&password=x' };
    logger.info('request complete', fields);
    logger.info('request complete', { path: `/${'a'.repeat(10_000)}` });
    const [first, second] = seen.map((one) => String(one.fields['path']));
    assert.equal(first, '/login?user=mia&password=[hidden]');
    assert.ok((second?.length ?? 0) < 1000 && second?.endsWith('a…'));
    assert.equal(fields.path, '/login?user=mia&password=x');
  });

  it('goes on as without one', () => {
    const { lines, logger } = lab('info');
    logger.info('connection complete', {});
    assert.deepEqual(lines, ['connection complete']);
  });
});

describe('the route of the tap', () => {
  it('streams lines, tells who is asked what is looked for, and ends with the reader', async () => {
    const clock = new ManualClock();
    const tap = new Tap(clock);
    const filters: (readonly TapFilter[])[] = [];
    const server = await serveHttp(['127.0.0.1'], 0, tapRoutes({ clock, tap, onFilters: (all) => filters.push(all) }));
    const text = { received: '' };
    const asked = request({ port: server.port, path: '/tap?path=/a&max-rps=1' }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text.received += part;
      });
      response.on('error', () => undefined);
    });
    asked.on('error', () => undefined);
    asked.end();
    await eventually('a listener', () => tap.isActive);
    assert.equal(filters.at(-1)?.[0]?.path, '/a');
    for (const path of ['/a\n', '/b', '/ac']) tap.offer(record({ path }));
    clock.advance(1000);
    await eventually('two lines', () => text.received.split('\n').length === 3);
    const [first = '', second = ''] = text.received.split('\n');
    assert.equal(JSON.parse(first).path, '/a\n');
    assert.deepEqual(JSON.parse(second), { skipped: 1 });
    asked.destroy();
    await eventually('nobody listens', () => !tap.isActive);
    assert.deepEqual(filters.at(-1), []);
    await server.close();
  });

  it('refuses more listeners than are bounded, and rates that are none', async () => {
    const clock = new ManualClock();
    const tap = new Tap(clock);
    for (let i = 0; i < MAX_TAP_LISTENERS; i++) tap.listen({ matches: () => true, maxPerSec: 1, deliver: () => true });
    const server = await serveHttp(['127.0.0.1'], 0, tapRoutes({ clock, tap, onFilters: () => undefined }));
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
    assert.equal(await status('/tap'), 429);
    assert.equal(await status('/tap?max-rps=0'), 400);
    await server.close();
  });
});
