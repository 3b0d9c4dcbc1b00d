import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { TraceIds } from '../../../src/telemetry/trace-ids.ts';
import type { FinishedSpan } from '../../../src/waypoint/reporting/finished-span.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { type TracingPlan, traceRequest } from '../../../src/waypoint/request-tracer.ts';
import { formatContext } from '../../helpers/format-context.ts';

const HEADERS: readonly HttpHeader[] = [
  [':method', 'GET'],
  [':authority', 'shop'],
  [':path', '/'],
];
const PLAN: TracingPlan = {
  formats: { w3c: true, b3: false },
  shortTraceIds: false,
  samplingShare: 0.01,
  useRequestId: true,
  propagates: true,
  istioTags: true,
  maxTagLength: 10,
  customTags: [],
  report: undefined,
};

function trace(headers: readonly HttpHeader[], plan: Partial<TracingPlan> = {}, random = 0.5) {
  const request = new RequestFields([...HEADERS, ...headers]);
  const started = traceRequest(request, { ...PLAN, ...plan }, { random: () => random, ids: new TraceIds() });
  const sent = started?.write([]).find(([name]) => name === 'traceparent')?.[1];
  return { request, started, sent };
}

describe('traceRequest', () => {
  it('decides by chance what nobody decided before, and tells the endpoint', () => {
    assert.match(trace([], {}, 0.0099).sent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.match(trace([], {}, 0.01).sent ?? '', /-00$/);
  });

  it('follows who decided before', () => {
    const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}`;
    assert.match(trace([['traceparent', `${parent}-01`]], { samplingShare: 0 }).sent ?? '', /^00-a{32}-.*-01$/);
    assert.equal(trace([['traceparent', `${parent}-00`]], { samplingShare: 1 }).started, undefined);
    assert.equal(trace([['x-b3-sampled', '0']], { samplingShare: 1 }).started, undefined);
  });

  it('is told by the id of a request that it is traced, unless that is off', () => {
    const id: HttpHeader = ['x-request-id', '2c3a1e7c-8f0e-9b1a-a5d2-0d6e7f1c2b3a'];
    assert.match(trace([id]).sent ?? '', /-01$/);
    assert.match(trace([id], { useRequestId: false }).sent ?? '', /-00$/);
  });

  it('writes into an id of its own, and no other, that the request is traced', () => {
    assert.equal(trace([], {}, 0).request.requestId[14], '9');
    assert.equal(trace([], {}, 0.5).request.requestId[14], '4');
    assert.equal(trace([['x-request-id', 'mine']], {}, 0).request.requestId, 'mine');
  });

  it('leaves the headers alone where nothing is propagated', () => {
    assert.deepEqual(trace([], { propagates: false }, 0).started?.write(HEADERS), HEADERS);
    assert.equal(trace([], { propagates: false }, 0.5).started, undefined);
  });

  it('reports a traced request with its tags, cut to their length', () => {
    const spans: FinishedSpan[] = [];
    const report = (span: FinishedSpan) => void spans.push(span);
    const customTags = [
      { name: 'word', kind: 'header', header: 'x-word', defaultValue: '' },
      { name: 'other', kind: 'header', header: 'x-other', defaultValue: 'none' },
      { name: 'empty', kind: 'header', header: 'x-other', defaultValue: '' },
    ] as const;
    const end = () => ({
      name: 'shop:80/*',
      context: formatContext({ requestHeaders: [['x-word', Buffer.from('grüße an alle').toString('latin1')]] }),
      clientAddress: '10.0.0.1:1',
      failed: false,
      tags: new Map([['long', 'x'.repeat(100)]]),
    });
    trace([], { report, customTags }, 0).started?.finish(end);
    trace([], { report, customTags }, 0.5).started?.finish(end);
    assert.equal(spans.length, 1);
    assert.deepEqual(
      [...(spans[0]?.tags ?? [])],
      [
        ['long', 'xxxxxxxxxx'],
        ['word', 'grüße an a'],
        ['other', 'none'],
      ],
    );
  });
});
