import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type HttpEndpoint, serveHttp } from '../../../src/net/http-endpoint.ts';
import type { MetricFamily } from '../../../src/telemetry/exposition.ts';
import { metricsRoutes } from '../../../src/telemetry/metrics-routes.ts';
import { eventually } from '../../helpers/eventually.ts';

const LINES = 100_000;
const samples = Array.from({ length: LINES }, (_, n) => ({ labels: `name="${'x'.repeat(100)}${n}"`, value: n }));
const family = (name: string, all = samples): MetricFamily => ({ name, help: 'h', type: 'counter', samples: all });

describe('a scrape', () => {
  let endpoint: HttpEndpoint;
  let families: readonly MetricFamily[] = [];
  const scrape = (headers: Record<string, string> = { 'accept-encoding': 'identity' }) =>
    fetch(`http://127.0.0.1:${endpoint.port}/metrics`, { headers });

  before(async () => {
    endpoint = await serveHttp(
      ['127.0.0.1'],
      0,
      metricsRoutes(() => families),
    );
  });
  after(() => endpoint.close());

  it('of few series is one answer, packed when that saves something', async () => {
    families = [family('few', samples.slice(0, 3))];
    const plain = await scrape({ 'accept-encoding': 'gzip' });
    assert.equal(plain.headers.get('content-encoding'), null);
    assert.equal((await plain.text()).split('\n').length, 6);
    families = [family('some', samples.slice(0, 300))];
    const packed = await scrape({ 'accept-encoding': 'gzip' });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    assert.equal((await packed.text()).split('\n').length, 303);
  });

  for (const coding of ['identity', 'gzip']) {
    it(`of very many series is whole, ${coding}, and lets others work meanwhile`, async () => {
      families = [family('many')];
      let turns = 0;
      const timer = setInterval(() => turns++, 0);
      const answer = await scrape({ 'accept-encoding': coding });
      const text = await answer.text();
      clearInterval(timer);
      assert.equal(text.split('\n').length, LINES + 3);
      assert.ok(text.endsWith(`${LINES - 1}\n`), text.slice(-40));
      assert.ok(turns > 20, `the loop turned ${turns} times`);
    });
  }

  it('in OpenMetrics ends with its end', async () => {
    families = [family('many')];
    const text = await (await scrape({ accept: 'application/openmetrics-text', 'accept-encoding': 'gzip' })).text();
    assert.ok(text.endsWith('# EOF\n'));
  });

  it('by readers that do not read is refused beyond a few, until they go', async () => {
    families = [family('many')];
    const silent = Array.from({ length: 4 }, () => {
      const socket = connect(endpoint.port, '127.0.0.1');
      socket.pause().write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
      return socket;
    });
    await eventually('a refusal', async () => {
      const answer = await scrape();
      await answer.body?.cancel();
      return answer.status === 503;
    });
    for (const socket of silent) socket.destroy();
    await eventually('an answer', async () => {
      const answer = await scrape();
      return answer.status === 200 && (await answer.text()).endsWith(`${LINES - 1}\n`);
    });
  });
});
