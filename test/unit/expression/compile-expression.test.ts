import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ExpressionContext } from '../../../src/expression/attributes.ts';
import { compileCondition, compileExpression } from '../../../src/expression/compile-expression.ts';

const VALUES: Readonly<Record<string, string | number | boolean>> = {
  'request.method': 'GET',
  'request.url_path': '/api/v1beta3/pods',
  'request.host': 'shop',
  'response.code': 404,
  'response.flags': 0,
  'response.duration': 1500,
  'connection.mtls': true,
};
const HEADERS: Readonly<Record<string, string>> = { 'x-y': 'yes', 'x-empty': '' };
const CONTEXT: ExpressionContext = {
  attribute: (name) => VALUES[name],
  header: (of, name) => (of === 'request' ? HEADERS[name] : undefined),
};

function value(text: string) {
  const compiled = compileExpression(text);
  assert.ok(compiled.ok, compiled.ok ? '' : `${text}: ${compiled.error}`);
  return compiled.value.evaluate(CONTEXT);
}

function reason(text: string): string {
  const compiled = compileExpression(text);
  return compiled.ok ? 'understood' : compiled.error;
}

describe('an expression', () => {
  it('compares, tests texts, and joins conditions', () => {
    const yes = [
      'response.code >= 400',
      'connection.mtls',
      "request.url_path.contains('v1beta3')",
      "has(request.headers['x-y'])",
      "'X-Y' in request.headers",
      "request.headers['x-empty'] == ''",
      'request.method in [\'GET\', "HEAD"]',
      'response.code in [403, 404]',
      "request.url_path.startsWith('/api/') && !request.url_path.endsWith('/')",
      "request.url_path.matches('v[0-9]+beta') || false",
      'response.duration > duration("1s")',
      '(response.code < 400 || response.code == 404) && !!connection.mtls',
      'response.code != -1',
      'size(request.host) == 4',
      "request.host == 'shop' ? true : false",
      "string(response.code) + '!' == '404!'",
      "int('12') == 12",
      "request.host == '\\u0073hop' || true".replace('\\u0073', 's'),
    ];
    for (const text of yes) assert.equal(value(text), true, text);
    const no = ['response.code >= 500', "request.method == 'POST'", "'x-z' in request.headers", 'has(request.query)'];
    for (const text of no) assert.equal(value(text), false, text);
  });

  it('binds `&&` closer than `||`, and `!` closer than both', () => {
    assert.equal(value('true || false && false'), true);
    assert.equal(value('!true || true'), true);
    assert.equal(value('!(true || true)'), false);
  });

  it('is undefined with what a request does not have, unless the rest decides', () => {
    assert.equal(value("request.headers['x-z'] == 'a'"), undefined);
    assert.equal(value("!(request.headers['x-z'] == 'a')"), undefined);
    assert.equal(value("request.headers['x-z'] == 'a' || true"), true);
    assert.equal(value("request.headers['x-z'] == 'a' && false"), false);
    assert.equal(value("request.headers['x-z'] == 'a' && true"), undefined);
  });

  it('is refused where it has what is not known here, by name', () => {
    assert.equal(reason('request.time > 1'), 'asks for request.time, which waypoints do not know');
    assert.equal(reason("metadata['a'] == 'b'"), 'asks for metadata, which waypoints do not know');
    assert.equal(reason('constructor'), 'asks for constructor, which waypoints do not know');
    assert.equal(reason("request.host.upperAscii() == 'A'"), 'calls upperAscii(), which waypoints do not know');
    assert.equal(reason('response.code == "404"'), 'has a text where a number has to be');
    assert.equal(reason('response.code && true'), 'has a number where a bool has to be');
    assert.equal(reason('response.code >='), 'ends too early');
    assert.equal(reason('response.code = 4'), 'is not understood at "= 4"');
    assert.equal(reason('a b'), 'is not understood at "b"');
    assert.equal(
      reason("request.host.matches('(')").slice(0, 50),
      'has the regular expression "(", which RE2 does not',
    );
    assert.equal(reason('request.headers == 1'), 'has request.headers without the name of a header');
    assert.equal(reason('x'.repeat(4097)), 'is longer than 4096 characters');
    assert.equal(reason(`${'('.repeat(40)}true${')'.repeat(40)}`), 'has more than 32 levels');
    assert.equal(reason(''), 'ends too early');
    assert.equal(reason("request.host.contains('a', 'b')"), 'calls contains() with the wrong number of arguments');
  });

  it('is no condition where it does not say yes or no', () => {
    const condition = compileCondition('response.code');
    assert.equal(condition.ok ? '' : condition.error, 'is no condition: it does not say yes or no');
    const unclear = compileCondition("request.headers['x-z'] == 'a'");
    assert.equal(unclear.ok && unclear.value(CONTEXT), false);
  });

  it('of any characters is understood or refused, and nothing else', () => {
    const piece = fc.constantFrom(
      'request',
      '.',
      'host',
      '(',
      ')',
      '[',
      ']',
      "'a'",
      '&&',
      '||',
      '!',
      '1',
      ' in ',
      '==',
      '?',
      ':',
      '-',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => void compileExpression(pieces.join(''))),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.string(), (text) => void compileExpression(text)));
  });
});
