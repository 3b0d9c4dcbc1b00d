import assert from 'node:assert/strict';
import { it } from 'node:test';
import { NO_REQUEST_POLICIES } from '../../../src/authz/request-policies.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import type { CompiledPort } from '../../../src/routing/compile-routes.ts';
import { FairShares } from '../../../src/waypoint/fair-shares.ts';
import type { HttpConnectionContext, HttpExchangeDeps } from '../../../src/waypoint/http-context.ts';
import { handleRequest } from '../../../src/waypoint/http-exchange.ts';
import { ReplayBudget } from '../../../src/waypoint/request-body.ts';
import { NO_TELEMETRY } from '../../../src/waypoint/telemetry-settings.ts';
import { FakeHttpStream } from '../../helpers/fake-http-stream.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { silentTelemetry, unknownClient } from '../../helpers/silent-telemetry.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** The answer to a request whose routes exceed what regular expressions may cost it. */
async function answer(place: 'target' | 'header'): Promise<{ headers: readonly HttpHeader[]; line: string }> {
  const stream = new FakeHttpStream();
  const lines: string[] = [];
  const info = (_: string, fields: object) => lines.push(JSON.stringify(fields));
  const deps = {
    clock: new ManualClock(),
    random: () => 0.5,
    accessLog: { ...silentLogger, enabled: () => true, info },
    telemetry: silentTelemetry,
    tapLog: silentLogger,
    replayBudget: new ReplayBudget(0),
    requestShares: new FairShares(0),
    state: {},
  } as unknown as HttpExchangeDeps;
  const http = {
    find: ({ regexBudget }: { regexBudget: { exceed(place: string): void } }) => void regexBudget.exceed(place),
  };
  const context = {
    target: { kind: 'service', service: { ports: new Map([[80, 8080]]) }, port: 80 },
    self: {},
    client: unknownClient,
    clientAddress: '',
    forwarded: '',
    spoken: 'http1',
    requestClient: { ip: '10.0.0.9', certificate: undefined },
    subject: { identity: undefined },
    tokenRules: () => undefined,
    policies: () => NO_REQUEST_POLICIES,
    telemetry: () => NO_TELEMETRY,
    routes: () => ({ http }) as unknown as CompiledPort,
  } as unknown as HttpConnectionContext;
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
