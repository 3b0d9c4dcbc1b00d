import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkKindRules } from '../../../../src/model/validation/kind-rules.ts';

/** What the rules say of a VirtualService that sets a header to this value. */
function problemsOf(value: string): string[] {
  const headers = { response: { set: { 'x-a': value } } };
  const spec = { hosts: ['a'], http: [{ headers, route: [{ destination: { host: 'a' } }] }] };
  const problems: string[] = [];
  checkKindRules('networking.istio.io', 'VirtualService', spec, (_path, reason) => problems.push(reason));
  return problems;
}

/** What the rules say of an HTTP rule, by field. */
function fieldsOf(rule: object): string[] {
  const spec = { hosts: ['a'], http: [rule] };
  const fields: string[] = [];
  checkKindRules('networking.istio.io', 'VirtualService', spec, (path) => fields.push(path.slice(3).join('.')));
  return fields;
}

describe('the host that a route gives a request', () => {
  const route = [{ destination: { host: 'a' } }];
  const ways: [string, (authority: string) => object][] = [
    ['headers.request.set.Host', (host) => ({ headers: { request: { set: { Host: host } } }, route })],
    ['headers.request.add.:authority', (host) => ({ headers: { request: { add: { ':authority': host } } }, route })],
    ['rewrite.authority', (authority) => ({ rewrite: { authority }, route })],
    ['redirect.authority', (authority) => ({ redirect: { authority } })],
  ];
  for (const [field, rule] of ways) {
    it(`is one that servers take, in ${field}`, () => {
      for (const good of ['a', 'a.b:80', '[::1]:65535', '10.0.0.1', 'a_b']) assert.deepEqual(fieldsOf(rule(good)), []);
      for (const bad of ['a b', 'a/b', 'a:b', 'a:65536', 'u@a', 'ä', '[::1', ':80', 'a\tb']) {
        assert.deepEqual(fieldsOf(rule(bad)), [field], bad);
      }
    });
  }
});

describe('the value of a header that a route sets', () => {
  it('may be any text, with operators and doubled percent signs', () => {
    for (const value of ['plain', 'a\tb', 'caf\u00e9', '%DOWNSTREAM_REMOTE_ADDRESS%', '100%%']) {
      assert.deepEqual(problemsOf(value), [], value);
    }
  });

  it('holds no control characters, and no single percent sign', () => {
    for (const value of ['a\r\nb: c', 'a\0', '100%']) assert.equal(problemsOf(value).length, 1, JSON.stringify(value));
  });
});
