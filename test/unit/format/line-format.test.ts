import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  compileFields,
  compileJsonLine,
  compileLine,
  DEFAULT_JSON,
  DEFAULT_LINE,
} from '../../../src/format/line-format.ts';
import { formatContext } from '../../helpers/format-context.ts';

const KEEP = { omitEmptyValues: false };
const OMIT = { omitEmptyValues: true };
const REQUEST = formatContext({
  startMs: Date.UTC(2024, 0, 2, 3, 4, 5, 678),
  durationMs: 12.4,
  responseCode: 200,
  responseCodeDetails: 'via_upstream',
  bytesReceived: 5,
  bytesSent: 7,
  upstreamHost: '10.0.0.2:8080',
  upstreamCluster: 'outbound|80||shop',
  routeName: 'r',
  requestHeaders: [
    [':method', 'GET'],
    [':path', '/rewritten'],
    ['x-envoy-original-path', '/a?b=c'],
    [':authority', 'shop'],
    ['user-agent', 'curl'],
    ['x-request-id', 'id'],
  ],
  responseHeaders: [['x-envoy-upstream-service-time', '11']],
});

describe('a line of an access log', () => {
  it('is by default what Istio writes', () => {
    assert.equal(
      compileLine(DEFAULT_LINE, KEEP).fill(REQUEST),
      '[2024-01-02T03:04:05.678Z] "GET /a?b=c HTTP/1.1" 200 - via_upstream - "-" 5 7 12 11 "-" "curl" "id" "shop" ' +
        '"10.0.0.2:8080" outbound|80||shop - 10.96.0.1:80 10.0.0.1:1000 - r',
    );
  });

  it('in JSON has the types of its values, and null for what is absent', () => {
    const line = JSON.parse(compileJsonLine(DEFAULT_JSON, KEEP).fill(REQUEST)) as Record<string, unknown>;
    assert.deepEqual(
      [line['response_code'], line['duration'], line['path'], line['x_forwarded_for'], line['upstream_service_time']],
      [200, 12, '/a?b=c', null, '11'],
    );
    assert.equal(Object.keys(line).length, 24);
    const less = JSON.parse(compileJsonLine(DEFAULT_JSON, OMIT).fill(REQUEST)) as Record<string, unknown>;
    assert.equal('x_forwarded_for' in less, false);
    assert.equal(less['method'], 'GET');
  });

  it('follows a text or a tree of its own', () => {
    assert.equal(compileLine('%REQ(:METHOD)% %REQ(X-NO)%|%BYTES_SENT%\n', KEEP).fill(REQUEST), 'GET -|7');
    assert.equal(compileLine('%REQ(X-NO)%|', OMIT).fill(REQUEST), '|');
    const tree = { a: { b: '%RESPONSE_CODE%', c: 'code %RESPONSE_CODE%', d: ['%REQ(X-NO)%', 1, true] } };
    const filled = JSON.parse(compileJsonLine(tree, KEEP).fill(REQUEST));
    assert.deepEqual(filled, { a: { b: 200, c: 'code 200', d: [null, 1, true] } });
    assert.deepEqual(
      [...compileFields({ code: '%RESPONSE_CODE%', no: '%REQ(X-NO)%' }).fill(REQUEST)],
      [['code', '200']],
    );
  });

  it('names the operators that waypoints do not know', () => {
    assert.deepEqual(compileLine('%FILTER_STATE(a)% %ENVIRONMENT(KEY)% %PROTOCOL%', KEEP).unknown, [
      '%FILTER_STATE(a)%',
      '%ENVIRONMENT(KEY)%',
    ]);
    assert.equal(compileLine('%FILTER_STATE(a)%', KEEP).fill(REQUEST), '-');
  });

  it('has the status of gRPC as a word or a number', () => {
    const call = formatContext({ grpcStatus: '5' });
    const line = '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%';
    assert.equal(compileLine(line, KEEP).fill(call), 'NotFound NOT_FOUND 5');
    assert.equal(compileLine('%GRPC_STATUS%', KEEP).fill(REQUEST), '-');
  });

  it('shows bytes of UTF-8 as people read them', () => {
    const bytes = Buffer.from('grüße').toString('latin1');
    const request = formatContext({ requestHeaders: [['user-agent', bytes]] });
    assert.equal(compileLine('%REQ(USER-AGENT)%', KEEP).fill(request), 'grüße');
  });

  it('is one line with as many quotes as its format, whatever a peer sends', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const request = formatContext({ requestHeaders: [['user-agent', value]] });
        const line = compileLine('"%REQ(USER-AGENT)%"', KEEP).fill(request);
        assert.doesNotMatch(line.slice(1, -1), /["\p{Cc}\u2028\u2029]/u);
        const json = compileJsonLine({ a: '%REQ(USER-AGENT)%' }, KEEP).fill(request);
        assert.doesNotMatch(json, /[\p{Cc}\u2028\u2029]/u);
        assert.deepEqual(Object.keys(JSON.parse(json) as object), ['a']);
      }),
    );
  });
});
