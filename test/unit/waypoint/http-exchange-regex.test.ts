import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { handleRequest } from '../../../src/waypoint/http-exchange.ts';
import { exchangeContext, exchangeDeps } from '../../helpers/exchange-fixture.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** The answer to a request whose routes exceed what regular expressions may cost it. */
async function answer(place: 'target' | 'header'): Promise<{ headers: readonly HttpHeader[]; line: string }> {
  const stream = new FakeHttpStream();
  const lines: string[] = [];
  const info = (_: string, fields: object) => lines.push(JSON.stringify(fields));
  const deps = exchangeDeps({ accessLog: { ...silentLogger, enabled: () => true, info } });
  const http = {
    find: ({ regexBudget }: { regexBudget: { exceed(place: string): void } }) => void regexBudget.exceed(place),
  };
  const context = exchangeContext({ routes: () => ({ http }) });
  const headers: readonly HttpHeader[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'cart'],
    [':path', '/'],
  ];
  stream.setHandler(handleRequest(stream, headers, true, context, deps));
  await settle();
  return { headers: stream.responses[0] ?? [], line: lines[0] ?? '' };
}

it('a request that is too long for the regular expressions of its routes is told so, by path or by header', async () => {
  const target = await answer('target');
  assert.deepEqual(target.headers[0], [':status', '414']);
  assert.match(target.line, /regex_budget_exceeded\{target\}/);
  const header = await answer('header');
  assert.deepEqual(header.headers[0], [':status', '431']);
  assert.match(header.line, /regex_budget_exceeded\{header\}/);
});
