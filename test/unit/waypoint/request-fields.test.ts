import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';

const CLIENT = { address: '10.0.0.1:9', ip: '10.0.0.1', certificate: undefined };
const request = (path: string) =>
  new RequestFields([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'shop'],
    [':path', path],
  ]);
const withoutPublic = (path: string) => `/${path.slice('/public'.length)}`;

describe('the target of a request', () => {
  it('is normalised, and goes on as a route rewrites it', () => {
    assert.equal(request('/public/%61?q=%2e').target, '/public/a?q=%2e');
    assert.equal(request('/publicx?q').rewritten(withoutPublic), '/x?q');
    const changes = { path: withoutPublic, authority: '', headers: [] };
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
