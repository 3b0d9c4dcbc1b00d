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
