import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFormat } from '../../../src/format/compile-format.ts';
import { type FormatParts, formatContext } from '../../helpers/format-context.ts';

const STARTED_MS = Date.UTC(2024, 0, 2, 15, 4, 5, 678);
const SEEN: FormatParts = {
  startMs: STARTED_MS,
  durationMs: 12.4,
  protocol: 'HTTP/2',
  responseCode: 503,
  responseFlags: 'UF,URX',
  responseCodeDetails: 'via_upstream',
  downstreamRemoteAddress: '[fd00::1]:1000',
  downstreamPeerUriSan: 'spiffe://cluster.local/ns/shop/sa/web',
  requestedServerName: 'shop.example',
  upstreamHost: '10.1.0.9:8080',
  upstreamCluster: 'outbound|80||web.shop',
  attemptCount: 2,
  routeName: 'route',
  requestId: 'id',
  hostname: 'waypoint-1',
  requestHeaders: [
    [':path', '/a?b'],
    ['x-user', 'ann'],
    ['x-user', 'bob'],
  ],
  responseHeaders: [['x-cache', 'hit']],
};

function filled(text: string, parts: FormatParts = SEEN): string {
  const format = compileFormat(text);
  assert.ok(format.ok, `${text}: ${JSON.stringify(format)}`);
  return format.value.fill(formatContext(parts));
}

function problem(text: string): string {
  const format = compileFormat(text);
  return format.ok ? 'none' : `${format.error.kind}: ${format.error.reason}`;
}

describe('a format', () => {
  it('is text as it is where it has no operators, with doubled percent signs as one', () => {
    const format = compileFormat('100%% of %%REQ(x)%%');
    assert.equal(format.ok && format.value.literal, '100% of %REQ(x)%');
  });

  const cases: readonly (readonly [text: string, expected: string])[] = [
    ['%REQ(X-User)%', 'ann'],
    ['%REQ(none?x-user):2%', 'an'],
    ['%REQ(:path)%', '/a?b'],
    ['%RESP(x-cache)%', 'hit'],
    ['%PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%', 'HTTP/2 503 UF,URX via_upstream'],
    ['%DOWNSTREAM_REMOTE_ADDRESS%', '[fd00::1]:1000'],
    ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', 'fd00::1'],
    ['%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%', 'fd00::1'],
    ['%DOWNSTREAM_LOCAL_ADDRESS%', '10.96.0.1:80'],
    ['%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%-%DOWNSTREAM_LOCAL_PORT%', '10.96.0.1-80'],
    ['%DOWNSTREAM_PEER_URI_SAN%', 'spiffe://cluster.local/ns/shop/sa/web'],
    ['%REQUESTED_SERVER_NAME%', 'shop.example'],
    ['%UPSTREAM_HOST%=%UPSTREAM_REMOTE_ADDRESS%', '10.1.0.9:8080=10.1.0.9:8080'],
    ['%UPSTREAM_CLUSTER%', 'outbound|80||web.shop'],
    ['%UPSTREAM_REQUEST_ATTEMPT_COUNT%', '2'],
    ['%HOSTNAME%/%ROUTE_NAME%/%STREAM_ID%', 'waypoint-1/route/id'],
    ['%DURATION%ms', '12ms'],
    ['%START_TIME%', '2024-01-02T15:04:05.678Z'],
    ['%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%', '2024/01/02T15:04:05+0000 1704207845'],
    ['%START_TIME(%s.%3f)%', '1704207845.678'],
    ['%START_TIME(%f %6f)%', '678000000 678000'],
    [
      '%START_TIME(%a %A %b %B %e %j %y %I %p %D %F %T %Z %Ez %%)%',
      'Tue Tuesday Jan January  2 002 24 03 PM 01/02/24 2024-01-02 15:04:05 UTC +00:00 %',
    ],
  ];
  for (const [text, expected] of cases) it(`fills in ${text}`, () => assert.equal(filled(text), expected));

  it('leaves out what the request does not have', () => {
    const text = '%REQ(none)%%RESP(none)%%UPSTREAM_HOST%%RESPONSE_CODE%%ROUTE_NAME%%DOWNSTREAM_PEER_URI_SAN%';
    assert.equal(filled(`<${text}>`, {}), '<>');
    assert.equal(filled('%RESPONSE_FLAGS%', {}), '-');
  });

  it('is refused with a percent sign that begins no operator', () => {
    for (const text of ['100%', '%', '%req(x)%', '%REQ(x%', 'a%b%%c', '%%%', '%REQ(x):a%']) {
      assert.match(problem(text), /^syntax: .*write %%/, text);
    }
  });

  it('is not supported with operators that waypoints do not have, or not with such an argument', () => {
    for (const text of [
      '%TRAILER(x)%',
      '%NONE%',
      '%REQ%',
      '%REQ()%',
      '%REQ(a?b?c)%',
      '%PROTOCOL(x)%',
      '%START_TIME(%Q)%',
    ]) {
      assert.match(problem(text), /^unsupported: has the operator %/, text);
    }
  });

  it('tells nobody what is in the environment of the waypoint', () => {
    assert.match(problem('%ENVIRONMENT(HOME)%'), /^unsupported: .*may hold secrets/);
  });
});
