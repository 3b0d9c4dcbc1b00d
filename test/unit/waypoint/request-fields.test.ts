import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { clientHeaders, RequestFields } from '../../../src/waypoint/request-fields.ts';

const CLIENT = { ip: '10.0.0.1', certificate: undefined };
const pseudo = (path: string): readonly HttpHeader[] => [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'shop'],
  [':path', path],
];
const request = (path: string) => new RequestFields(pseudo(path));
const withoutPublic = (path: string) => `/${path.slice('/public'.length)}`;

describe('the headers of a request', () => {
  it('go on without those that only the proxies of this hop may write', () => {
    const own: readonly [string, string][] = [
      ['x-envoy-attempt-count', '7'],
      ['x-forwarded-client-cert', 'URI=forged'],
      ['x-own', '1'],
    ];
    const changes = { target: '/', authority: '', headers: [] };
    const sent = request('/')
      .withHeaders((headers) => [...headers, ...own])
      .forUpstream('http1', changes, CLIENT);
    assert.deepEqual(
      sent.filter(([name]) => own.some(([other]) => other === name)),
      [['x-own', '1']],
    );
  });
});

describe('the target of a request', () => {
  it('is normalised, and goes on as a route rewrites it', () => {
    assert.equal(request('/public/%61?q=%2e').target, '/public/a?q=%2e');
    assert.equal(request('/publicx?q').rewritten(withoutPublic), '/x?q');
    const target = request('/publicx').rewritten(withoutPublic) ?? '';
    const changes = { target, authority: '', headers: [] };
    const headers = request('/publicx').forUpstream('http1', changes, CLIENT);
    assert.deepEqual(headers.find(([name]) => name === ':path')?.[1], '/x');
    assert.deepEqual(headers.find(([name]) => name === 'x-envoy-original-path')?.[1], '/publicx');
  });

  it('gets no dot segments by a rewrite', () => {
    for (const path of ['/public../admin', '/public..', '/public./a?b'])
      assert.equal(request(path).rewritten(withoutPublic), undefined, path);
    assert.equal(request('/public...').rewritten(withoutPublic), '/...');
  });
});

describe('the values of a header', () => {
  it('are those of each of its fields', () => {
    const fields = new RequestFields([...pseudo('/'), ['x-role', 'a'], ['x-other', 'b'], ['x-role', 'c']]);
    assert.deepEqual(fields.headerValues('x-role'), ['a', 'c']);
    assert.deepEqual(fields.headerValues('absent'), []);
  });

  it('are what the endpoint will see, where they say what is asked for', () => {
    const fields = new RequestFields([...pseudo('/a/../%62?c'), ['host', 'other']]);
    assert.deepEqual(fields.headerValues(':path'), ['/b?c']);
    for (const name of [':authority', 'host']) assert.deepEqual(fields.headerValues(name), ['shop']);
  });
});

describe('the headers of a client', () => {
  it('say nothing in the name of a proxy (row 11)', () => {
    const own = ['x-role', 'x-envoy-external-address', 'x-envoyage', 'x-forwarded-for'].map(
      (name) => [name, 'a'] as const,
    );
    const proxies = [
      'retry-on',
      'max-retries',
      'upstream-rq-timeout-ms',
      'original-path',
      'internal',
      'decorator-operation',
    ];
    const claimed = proxies.map((name) => [`x-envoy-${name}`, '1'] as const);
    const sent = [...pseudo('/'), ...claimed, ['x-forwarded-client-cert', 'By=me'] as const, ...own];
    assert.deepEqual(clientHeaders(sent), [...pseudo('/'), ...own]);
    const clean = [...pseudo('/'), ...own];
    assert.equal(clientHeaders(clean), clean);
  });
});
