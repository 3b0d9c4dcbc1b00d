import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { compileFormat } from '../../../src/format/compile-format.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { createService } from '../../../src/model/service.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import { AccessRecord } from '../../../src/waypoint/access-record.ts';
import { ExchangeFormat } from '../../../src/waypoint/exchange-format.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { silentTelemetry, unknownClient } from '../../helpers/silent-telemetry.ts';

const HEADERS: readonly HttpHeader[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'shop'],
  [':path', '/a/../b'],
  ['x-request-id', 'id'],
];
const SENT: readonly HttpHeader[] = [...HEADERS.slice(0, 3), [':path', '/rewritten'], ['x-added', '1']];
const service = createService({ namespace: 'shop', hostname: 'cart.shop', ipFamilies: 'IPv6' });

/** What a format makes of one request, before or after its response. */
function setUp(responseHeaders?: readonly HttpHeader[]) {
  const clock = new ManualClock();
  const request = new RequestFields(HEADERS);
  const connection = {
    target: { kind: 'service' as const, service, port: 80 },
    client: unknownClient,
    clientAddress: '10.0.0.1:1000',
    calledAddress: '10.96.0.1:80',
    spoken: 'http2' as const,
    subject: { identity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' }, sni: undefined },
    proxyName: 'waypoint-1',
    tokenRules: () => undefined,
  };
  const record = new AccessRecord(
    request,
    connection,
    {
      clock,
      accessLog: silentLogger,
      tapLog: silentLogger,
      telemetry: silentTelemetry,
    },
    { onRecorded: () => undefined },
  );
  const startMs = clock.nowMs();
  clock.advance(25);
  const messages = {
    request,
    requestHeaders: responseHeaders === undefined ? HEADERS : SENT,
    responseHeaders,
    upstreamCluster: 'outbound|80||cart.shop',
  };
  const context = new ExchangeFormat(connection, messages, record, clock);
  const fill = (text: string) => {
    const format = compileFormat(text);
    assert.ok(format.ok);
    return format.value.fill(context);
  };
  return { fill, record, startMs };
}

describe('the values of a request', () => {
  it('are those of the request as policies saw it, until there is a response', () => {
    const { fill } = setUp();
    assert.equal(fill('%REQ(:path)% %REQ(:authority)% %REQ(x-request-id)%=%STREAM_ID%'), '/b shop id=id');
    assert.equal(fill('%RESPONSE_CODE%%RESPONSE_CODE_DETAILS%%UPSTREAM_HOST%%UPSTREAM_REQUEST_ATTEMPT_COUNT%'), '');
    assert.equal(fill('%UPSTREAM_CLUSTER%'), 'outbound|80||cart.shop');
  });

  it('are those of its connection', () => {
    const { fill } = setUp();
    assert.equal(fill('%PROTOCOL% %DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_PORT%'), 'HTTP/2 10.0.0.1:1000 80');
    assert.equal(fill('%DOWNSTREAM_PEER_URI_SAN% %HOSTNAME%'), 'spiffe://cluster.local/ns/shop/sa/web waypoint-1');
  });

  it('are those of what was sent, and of the answer, once there is one', () => {
    const { fill, record, startMs } = setUp([
      [':status', '200'],
      ['x-answer', 'yes'],
    ]);
    const addresses = ['10.1.0.9', 'fd00::9'] as IpAddress[];
    record.endpoint = { workload: createWorkload({ uid: 'a', addresses }), port: 8080, service };
    record.attempts = 2;
    record.flag('DI');
    assert.equal(fill('%REQ(:path)% %REQ(x-added)% %RESP(x-answer)%'), '/rewritten 1 yes');
    assert.equal(fill('%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%'), '200 DI via_upstream');
    assert.equal(fill('%UPSTREAM_HOST% %UPSTREAM_REQUEST_ATTEMPT_COUNT%'), '[fd00::9]:8080 2');
    assert.equal(fill('%DURATION% %START_TIME%'), `25 ${new Date(startMs).toISOString()}`);
  });
});
