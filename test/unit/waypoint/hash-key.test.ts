import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HashCookie, HashPolicy } from '../../../src/proto/gen/ambit.ts';
import { hashKeyOf } from '../../../src/waypoint/hash-key.ts';

function keyOf(key: HashPolicy['key'], headers: Record<string, string> = {}, path = '/') {
  const request = { header: (name: string) => headers[name], path, sourceIp: '10.1.2.3' };
  return hashKeyOf({ key, tableSize: 1024 }, request, () => 'beef');
}

function cookie(fields: Partial<HashCookie>, headers: Record<string, string> = {}) {
  const all = { name: 'user', path: '', ttlSec: 0, generate: true, attributes: [], ...fields };
  return keyOf({ $case: 'cookie', cookie: all }, headers);
}

describe('the key of a request', () => {
  it('is the value of a header', () => {
    assert.equal(keyOf({ $case: 'header', header: 'X-User' }, { 'x-user': 'ann' }).key, 'ann');
    assert.equal(keyOf({ $case: 'header', header: 'x-user' }).key, undefined);
  });

  it('is the address of the client', () => {
    assert.equal(keyOf({ $case: 'sourceIp', sourceIp: true }).key, '10.1.2.3');
  });

  it('is a parameter of the query, decoded', () => {
    assert.equal(keyOf({ $case: 'queryParameter', queryParameter: 'u' }, {}, '/a?x=1&u=a%20b').key, 'a b');
    assert.equal(keyOf({ $case: 'queryParameter', queryParameter: 'u' }, {}, '/a').key, undefined);
  });

  it('is a cookie, with or without quotes', () => {
    assert.deepEqual(cookie({}, { cookie: 'a=1; user=ann' }), { key: 'ann', setCookie: undefined });
    assert.equal(cookie({}, { cookie: 'user="ann"' }).key, 'ann');
    assert.equal(cookie({ generate: false }, { cookie: 'xuser=1' }).key, undefined);
  });

  it('is missing without a policy', () => {
    assert.equal(hashKeyOf(undefined, { header: () => 'x', path: '/', sourceIp: '' }, () => '').key, undefined);
  });
});

describe('a cookie for a client without one', () => {
  it('is made with its time, path and attributes', () => {
    const attributes = [
      { name: 'SameSite', value: 'Strict' },
      { name: 'Secure', value: '' },
    ];
    assert.deepEqual(cookie({ ttlSec: 60, path: '/app', attributes }), {
      key: 'beef',
      setCookie: 'user="beef"; Max-Age=60; Path=/app; SameSite=Strict; Secure; HttpOnly',
    });
  });

  it('lasts for the session without a time', () => {
    assert.equal(cookie({}).setCookie, 'user="beef"; HttpOnly');
  });

  it('is not made where that is not asked for', () => {
    assert.deepEqual(cookie({ generate: false }), { key: undefined, setCookie: undefined });
  });
});
