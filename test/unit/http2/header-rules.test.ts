import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/http2/header.ts';
import { checkRequest, checkResponse, checkTrailers } from '../../../src/http2/header-rules.ts';
import { CONNECT } from './harness.ts';

const GET: readonly Header[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'a'],
];

test('CONNECT needs method and authority and nothing else', () => {
  assert.deepEqual(checkRequest(CONNECT), { problem: undefined, connect: true, contentBytes: -1 });
  for (const extra of [
    [':scheme', 'https'],
    [':path', '/'],
    [':protocol', 'websocket'],
  ] as const) {
    assert.notEqual(checkRequest([...CONNECT, extra]).problem, undefined, extra[0]);
  }
  assert.notEqual(checkRequest([[':method', 'CONNECT']]).problem, undefined);
  assert.notEqual(
    checkRequest([
      [':method', 'CONNECT'],
      [':authority', ''],
    ]).problem,
    undefined,
  );
});

test('ordinary requests need method, scheme and path once each, before other headers', () => {
  assert.equal(checkRequest([...GET, ['accept', '*/*'], ['te', 'trailers']]).problem, undefined);
  for (let index = 0; index < 3; index += 1) {
    assert.notEqual(checkRequest(GET.filter((_, at) => at !== index)).problem, undefined);
    assert.notEqual(checkRequest([...GET, GET[index]!]).problem, undefined);
  }
  assert.notEqual(checkRequest([['accept', '*/*'], ...GET]).problem, undefined);
  assert.notEqual(checkRequest([...GET, [':status', '200']]).problem, undefined);
});

test('forbidden names and values are found', () => {
  const bad: Header[] = [
    ['Upper', 'x'],
    ['', 'x'],
    ['sp ace', 'x'],
    ['col:on', 'x'],
    ['connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['keep-alive', '1'],
    ['proxy-connection', '1'],
    ['upgrade', 'h2c'],
    ['te', 'gzip'],
    ['x', 'a\rb'],
    ['x', 'a\nb'],
    ['x', 'a\0b'],
    ['x', ' a'],
    ['x', 'a\t'],
    ['x', 'snow ☃'],
    ['content-length', '1x'],
    ['content-length', '-1'],
  ];
  for (const header of bad) assert.notEqual(checkRequest([...GET, header]).problem, undefined, JSON.stringify(header));
  assert.equal(checkRequest([...GET, ['__proto__', 'fine'], ['x', 'caf\xe9']]).problem, undefined);
});

test('content-length is one number', () => {
  assert.equal(checkRequest([...GET, ['content-length', '12']]).contentBytes, 12);
  assert.equal(checkRequest([...GET, ['content-length', '12'], ['content-length', '12']]).contentBytes, 12);
  assert.notEqual(checkRequest([...GET, ['content-length', '12'], ['content-length', '13']]).problem, undefined);
});

test('responses have a status and trailers have no pseudo-headers', () => {
  assert.equal(
    checkResponse([
      [':status', '200'],
      ['x', 'y'],
    ]).status,
    200,
  );
  for (const bad of [
    [],
    [[':status', '20']],
    [[':status', '101']],
    [
      [':status', '200'],
      [':path', '/'],
    ],
  ] as Header[][]) {
    assert.notEqual(checkResponse(bad).problem, undefined);
  }
  assert.equal(checkTrailers([['grpc-status', '0']]), undefined);
  assert.notEqual(checkTrailers([[':status', '200']]), undefined);
});
