/**
 * Endpoints that are gone, break off, stall or talk out of turn, behind a real waypoint: what the client is told, and what
 * the access log says of it (facts l7-and-control 10.4, performance-and-reliability B.2 rows 7 and 9).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AttackedWaypoint, CLOSE, pod, request, service } from '../helpers/attacked-waypoint.ts';

/** Speaks HTTP/1 by hand: what it does follows from the path. */
const HTTP1 = `
const OK = 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok';
const raw = {
  reset: (s) => s.resetAndDestroy(),
  close: (s) => s.destroy(),
  finish: (s) => s.end(),
  never: () => 0,
  half: (s) => { s.write('HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\nhalf'); setTimeout(() => s.destroy(), 100); },
  chunk: (s) => { s.write('HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n4\\r\\nhalf\\r\\nzz\\r\\n'); },
  head: (s) => { s.write('HTTP/1.1 200 OK\\r\\nX: y'); setTimeout(() => s.destroy(), 100); },
  garbage: (s) => s.write('what is this?\\r\\n\\r\\n'),
  lengths: (s) => s.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nContent-Length: 3\\r\\n\\r\\nok'),
  both: (s) => s.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n'),
  nul: (s) => s.write('HTTP/1.1 200 OK\\r\\nX: a\\0b\\r\\nContent-Length: 0\\r\\n\\r\\n'),
  long: (s) => s.write('HTTP/1.1 200 OK\\r\\nX: ' + 'a'.repeat(70000) + '\\r\\n\\r\\n'),
  many: (s) => s.write('HTTP/1.1 200 OK\\r\\n' + 'X: y\\r\\n'.repeat(200) + '\\r\\n'),
  status: (s) => s.write('HTTP/1.1 999999 OK\\r\\nContent-Length: 0\\r\\n\\r\\n'),
  interim: (s) => s.write('HTTP/1.1 100 Continue\\r\\n\\r\\n'.repeat(10000)),
  switch: (s) => s.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n'),
  early: (s) => s.write('HTTP/1.1 413 Payload Too Large\\r\\nContent-Length: 5\\r\\n\\r\\nearly'),
  'early-close': (s) => s.end('HTTP/1.1 413 Payload Too Large\\r\\nConnection: close\\r\\nContent-Length: 5\\r\\n\\r\\nearly'),
  unasked: (s) => s.write(OK + 'HTTP/1.1 200 OK\\r\\nContent-Length: 8\\r\\n\\r\\npoisoned'),
  later: (s) => { s.write(OK); setTimeout(() => s.write('HTTP/1.1 200 OK\\r\\nContent-Length: 8\\r\\n\\r\\npoisoned'), 100); },
  ok: (s) => s.write(OK),
};
require('net').createServer({ allowHalfOpen: true }, (s) => {
  let text = '';
  s.on('error', () => 0).on('data', (d) => {
    text += d;
    const found = /^[A-Z]+ \\/([a-z-]*)/.exec(text);
    if (found === null || !text.includes('\\r\\n\\r\\n')) return;
    text = '';
    raw[found[1]]?.(s);
  });
}).listen(8080, '::');`;

/** Speaks HTTP/2, as long as it wants. */
const HTTP2 = `
const http2 = require('http2');
http2.createServer().on('stream', (stream, headers) => {
  stream.on('error', () => 0);
  const act = {
    '/refuse': () => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
    '/cancel': () => stream.close(http2.constants.NGHTTP2_CANCEL),
    '/internal': () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
    '/goaway': () => { stream.session.goaway(2, 0); stream.session.destroy(); },
    '/half': () => { stream.respond({ ':status': 200 }); stream.write('half'); setTimeout(() => stream.destroy(new Error('broken')), 100); },
    '/ok': () => { stream.respond({ ':status': 200 }); stream.end('ok'); },
  }[headers[':path']];
  act?.();
}).on('sessionError', () => 0).listen(8080, '::');`;

/** Answers the preface of HTTP/2 with something else. */
const NO_HTTP2 = `
require('net').createServer((s) => s.on('error', () => 0).once('data', () => s.write(Buffer.alloc(200, 0xff)))).listen(8080, '::');`;

const node = (script: string) => ['node', '-e', script] as const;
const virtualService = (host: string, ...http: readonly object[]) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: host, namespace: 'web' },
  spec: { hosts: [host], http },
});
const to = (host: string, more: object = {}) => ({ route: [{ destination: { host, ...more } }] });
const once = { retries: { attempts: 0 } };
const path = (exact: string) => ({ match: [{ uri: { exact } }] });
const always = { percentage: { value: 100 } };

const waypoint = new AttackedWaypoint();
const OBJECTS = [
  service('raw', 80, 8080),
  service('second', 80, 8080, 'http2'),
  service('nohttp2', 80, 8080, 'http2'),
  service('shut', 80, 9999),
  service('empty', 80, 8080),
  service('rules', 80, 8080),
  pod('raw', 'node2', node(HTTP1), {}, 8080),
  pod('second', 'node2', node(HTTP2), {}, 8080),
  pod('nohttp2', 'node2', node(NO_HTTP2), {}, 8080),
  pod('shut', 'node2', ['sleep', 'infinity']),
  virtualService(
    'raw',
    { ...path('/never'), ...to('raw'), ...once, timeout: '1s' },
    { ...path('/close/again'), ...to('raw'), retries: { attempts: 2, retryOn: 'reset' } },
    { ...to('raw'), ...once },
  ),
  virtualService('second', { ...to('second'), ...once }),
  virtualService('nohttp2', { ...to('nohttp2'), ...once }),
  virtualService('shut', { ...to('shut'), ...once }),
  virtualService(
    'rules',
    { ...path('/subset'), ...to('site', { subset: 'none' }) },
    { ...path('/abort'), ...to('site'), fault: { abort: { httpStatus: 418, ...always } } },
    { ...path('/delay'), ...to('site'), fault: { delay: { fixedDelay: '0.1s', ...always } } },
    { ...path('/direct'), directResponse: { status: 204 } },
    { match: [{ uri: { prefix: '/site' } }], ...to('site') },
  ),
];

before(() => waypoint.up(OBJECTS, 4));
after(() => waypoint[Symbol.asyncDispose]());

const BEFORE = 'upstream connect error or disconnect/reset before headers. reset reason: ';
const AGAIN = 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ';

/** Without interim answers before it. */
const finalAnswer = (answer: string) => answer.replace(/^(?:HTTP\/1.1 100 Continue\r\n\r\n)+/, '');

describe('what a client is told of its endpoint, and the access log', { timeout: 110_000 }, () => {
  const rows: readonly (readonly [
    what: string,
    url: string,
    status: number,
    body: string,
    flags: string,
    details: string,
  ])[] = [
    ['resets', 'raw/reset', 503, `${BEFORE}connection termination`, 'UC', 'connection_termination'],
    ['closes', 'raw/close', 503, `${BEFORE}connection termination`, 'UC', 'connection_termination'],
    ['ends its side only', 'raw/finish', 503, `${BEFORE}connection termination`, 'UC', 'connection_termination'],
    ['closes within the head', 'raw/head', 503, `${BEFORE}connection termination`, 'UC', 'connection_termination'],
    [
      'closes each of three times',
      'raw/close/again',
      503,
      `${AGAIN}connection termination`,
      'UC,URX',
      'connection_termination',
    ],
    ['does not answer in time', 'raw/never', 504, 'upstream request timeout', 'UT', 'response_timeout'],
    ['says what is no HTTP', 'raw/garbage', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['says two lengths', 'raw/lengths', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['says a length and chunks', 'raw/both', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['has a NUL in a header', 'raw/nul', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['has a header of 70 KB', 'raw/long', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['has 200 headers', 'raw/many', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['has a status that is none', 'raw/status', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['has interim answers without end', 'raw/interim', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['switches protocols unasked', 'raw/switch', 502, `${BEFORE}protocol error`, 'UPE', 'protocol_error'],
    ['answers early', 'raw/early', 413, 'early', '-', 'via_upstream'],
    ['answers early and closes', 'raw/early-close', 413, 'early', '-', 'via_upstream'],
    ['refuses a stream', 'second/refuse', 503, `${BEFORE}remote reset`, 'UR', 'remote_reset'],
    ['cancels a stream', 'second/cancel', 503, `${BEFORE}remote reset`, 'UR', 'remote_reset'],
    ['fails a stream', 'second/internal', 503, `${BEFORE}remote reset`, 'UR', 'remote_reset'],
    ['goes away', 'second/goaway', 503, `${BEFORE}connection termination`, 'UC', 'connection_termination'],
    ['is not there', 'shut/gone', 503, `${BEFORE}remote connection failure`, 'UF', 'remote_connection_failure'],
    ['is none', 'empty/none', 503, 'no healthy upstream', 'UH', 'no_healthy_upstream'],
    ['is of a subset that is none', 'rules/subset', 503, '', 'NC', 'cluster_not_found'],
    ['is of no route', 'rules/unknown', 404, '', 'NR', 'route_not_found'],
    ['is not asked for a fault', 'rules/abort', 418, 'fault filter abort', 'FI', 'fault_filter_abort'],
    ['is asked late for a fault', 'rules/delay', 200, '{', 'DI', 'via_upstream'],
    ['is not needed', 'rules/direct', 204, '', '-', 'direct_response'],
  ];
  for (const [what, url, status, body, flags, details] of rows) {
    it(`an endpoint ${what}: ${status}, ${flags}`, async () => {
      const [host = '', ...rest] = url.split('/');
      const target = `/${rest.join('/')}`;
      const asked = request('GET', target, CLOSE).replace('Host: site', `Host: ${host}`);
      const answer = finalAnswer(await waypoint.askHost(host, asked));
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
      const told = answer.slice(answer.indexOf('\r\n\r\n') + 4);
      if (body === '') assert.equal(told, '');
      else assert.ok(told.startsWith(body), told);
      const line = await waypoint.line(`path="${target}" authority="${host}"`);
      assert.match(line, new RegExp(`response_code=${status} response_flags="?${flags}"? `));
      assert.match(line, new RegExp(`response_code_details="?[a-z_{]*${details}`));
      await waypoint.withstood();
    });
  }

  it('an endpoint that is not HTTP/2 where that is declared: 502 or 503, and the connection is given up', async () => {
    const answer = await waypoint.askHost('nohttp2', request('GET', '/nohttp2', CLOSE));
    assert.match(answer, /^HTTP\/1.1 50[23] [\s\S]*upstream connect error/);
    assert.match(await waypoint.accessLine('/nohttp2'), /response_flags="?(UPE|UC|UF)/);
    await waypoint.withstood();
  });

  it('an answer that breaks off is cut, and logged as such, whichever way it does', async () => {
    for (const [host, target] of [
      ['raw', '/half'],
      ['raw', '/chunk'],
      ['second', '/half'],
    ] as const) {
      const answer = await waypoint.askHost(host, request('GET', target, CLOSE).replace('Host: site', `Host: ${host}`));
      assert.match(answer, /^HTTP\/1.1 200 [\s\S]*half/);
      assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/, 'half an answer never passes for a whole one');
      const line = await waypoint.line(`path="${target}" authority="${host}"`);
      assert.match(
        line,
        /response_code=200 response_flags="?UC"? response_code_details="?upstream_reset_after_response_started/,
      );
      await waypoint.withstood();
    }
  });

  it('an answer that nobody asked for reaches nobody (row 9)', async () => {
    for (const target of ['/unasked', '/later']) {
      for (let round = 0; round < 2; round++) {
        const first = await waypoint.askHost('raw', request('GET', target, CLOSE));
        assert.match(first, /^HTTP\/1.1 200 [\s\S]*\r\n\r\nok$/, target);
        const next = await Promise.all(
          Array.from({ length: 4 }, () => waypoint.askHost('raw', request('GET', '/ok', CLOSE))),
        );
        for (const answer of next) assert.match(answer, /\r\n\r\nok$/, target);
      }
    }
    assert.doesNotMatch(await waypoint.settledLog(), /poisoned/);
    await waypoint.withstood();
  });

  it('an early answer ends an upload, whose client hears of it, and the connection is not used for another', async () => {
    for (const target of ['/early', '/early-close']) {
      const upload = request('POST', target, 'Content-Length: 3000000\r\n');
      const answer = await waypoint.askHost('raw', upload, Buffer.alloc(100_000), Buffer.alloc(100_000));
      assert.match(answer, /^HTTP\/1.1 413 [\s\S]*early$/);
      assert.match(await waypoint.askHost('raw', request('GET', '/ok', CLOSE)), /\r\n\r\nok$/);
      await waypoint.withstood();
    }
  });

  it('a client that goes away while its endpoint is silent is logged as gone', async () => {
    const socket = await waypoint.dial('raw');
    socket.write(request('GET', '/never?gone'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    socket.destroy();
    assert.match(
      await waypoint.accessLine('/never?gone'),
      /response_flags="?DC"? response_code_details="?downstream_remote/,
    );
    await waypoint.withstood();
  });
});
