import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpMatch, StringMatch } from '../../../src/proto/gen/ambit.ts';
import { compileMatch, compileStringMatch } from '../../../src/routing/compile-match.ts';
import { RegexBudget } from '../../../src/routing/regex-budget.ts';
import { requestOf } from '../../helpers/routed-request.ts';

type Kind = StringMatch['kind'];
const text = (kind: Kind, ignoreCase = false): StringMatch => ({ kind, ignoreCase });
const NOTHING: HttpMatch = {
  path: undefined,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: [],
  query: [],
  claims: [],
};

describe('a match of text', () => {
  const cases: [StringMatch, string[], string[]][] = [
    [text({ $case: 'exact', exact: '/a' }), ['/a'], ['/A', '/a/', '']],
    [text({ $case: 'exact', exact: '/a' }, true), ['/a', '/A'], ['/a/']],
    [text({ $case: 'prefix', prefix: '/a' }), ['/a', '/ab', '/a/b'], ['/A', 'x/a']],
    [text({ $case: 'prefix', prefix: '/A' }, true), ['/a', '/Ab'], ['/b']],
    [text({ $case: 'pathPrefix', pathPrefix: '/a' }), ['/a', '/a/', '/a/b'], ['/ab', '/A', '/']],
    [text({ $case: 'pathPrefix', pathPrefix: '/a/' }), ['/a', '/a/b'], ['/ab']],
    [text({ $case: 'pathPrefix', pathPrefix: '/' }), ['/', '/a'], []],
    [text({ $case: 'regex', regex: '/v[0-9]+' }), ['/v1', '/v23'], ['/v', '/v1/x', 'x/v1']],
    [text({ $case: 'regex', regex: '(?i)ab' }), ['AB'], ['abc']],
    [text({ $case: 'present', present: true }), ['', 'x'], []],
    [text(undefined), ['', 'x'], []],
  ];
  for (const [match, taken, refused] of cases) {
    it(`${JSON.stringify(match.kind)}${match.ignoreCase ? ' in any case' : ''} takes ${taken}, not ${refused}`, () => {
      const test = compileStringMatch(match);
      for (const one of taken) assert.equal(test(one, new RegexBudget()), true, one);
      for (const one of refused) assert.equal(test(one, new RegexBudget()), false, one);
    });
  }

  it('takes no time that grows faster than the text, whatever the pattern', () => {
    const test = compileStringMatch(text({ $case: 'regex', regex: '(a+)+b' }));
    const budget = new RegexBudget();
    assert.equal(test('a'.repeat(20_000), budget), false);
    assert.equal(budget.exceededBy, undefined);
  });

  it('is refused with a pattern that only a backtracking engine takes', () => {
    assert.throws(() => compileStringMatch(text({ $case: 'regex', regex: '(?=a)' })));
  });
});

describe('a match of a request', () => {
  it('is every request when nothing is asked', () => {
    assert.equal(compileMatch(undefined)(requestOf({})), true);
    assert.equal(compileMatch(NOTHING)(requestOf({})), true);
  });

  it('asks for everything that is given', () => {
    const test = compileMatch({
      ...NOTHING,
      path: text({ $case: 'prefix', prefix: '/a' }),
      method: text({ $case: 'exact', exact: 'GET' }),
      scheme: text({ $case: 'exact', exact: 'http' }),
      authority: text({ $case: 'exact', exact: 'shop:80' }),
    });
    const fields = { target: '/a?x', method: 'GET', scheme: 'http', authority: 'shop:80' };
    assert.equal(test(requestOf(fields)), true);
    for (const other of [{ target: '/b' }, { method: 'PUT' }, { scheme: 'https' }, { authority: 'shop' }])
      assert.equal(test(requestOf({ ...fields, ...other })), false, JSON.stringify(other));
  });

  it('finds headers by name, and their presence', () => {
    const wants = (value: StringMatch | undefined, invert = false) =>
      compileMatch({ ...NOTHING, headers: [{ name: 'x-user', value, invert }] });
    const tester = wants(text({ $case: 'exact', exact: 'tester' }));
    assert.equal(tester(requestOf({ headers: { 'x-user': 'tester' } })), true);
    assert.equal(tester(requestOf({})), false);
    assert.equal(wants(undefined)(requestOf({ headers: { 'x-user': '' } })), true);
    assert.equal(wants(undefined)(requestOf({})), false);
    assert.equal(wants(undefined, true)(requestOf({})), true);
  });

  it('turned round takes a header that is absent for an empty one', () => {
    const withoutA = compileMatch({
      ...NOTHING,
      headers: [{ name: 'x', value: text({ $case: 'prefix', prefix: 'a' }), invert: true }],
    });
    assert.equal(withoutA(requestOf({})), true);
    assert.equal(withoutA(requestOf({ headers: { x: 'b' } })), true);
    assert.equal(withoutA(requestOf({ headers: { x: 'ab' } })), false);
  });

  it('takes the first value of a query parameter', () => {
    const test = compileMatch({
      ...NOTHING,
      query: [{ name: 'animal', value: text({ $case: 'exact', exact: 'whale' }), invert: false }],
    });
    assert.equal(test(requestOf({ target: '/?animal=whale' })), true);
    assert.equal(test(requestOf({ target: '/?x=1&animal=whale&animal=cat' })), true);
    assert.equal(test(requestOf({ target: '/?animal=cat&animal=whale' })), false);
    assert.equal(test(requestOf({ target: '/?animals=whale' })), false);
    const empty = compileMatch({
      ...NOTHING,
      query: [{ name: 'key', value: text({ $case: 'exact', exact: '' }), invert: false }],
    });
    assert.equal(empty(requestOf({ target: '/?key' })), true);
    assert.equal(empty(requestOf({ target: '/?key=' })), true);
    assert.equal(empty(requestOf({ target: '/' })), false);
  });
});

describe('a match of claims', () => {
  const claims = {
    group: 'admin',
    groups: ['dev', 'admin', 7],
    team: { name: 'red', 'a.b': { c: 'deep' } },
    n: 7,
    no: null,
  };
  const holds = (path: readonly string[], value: StringMatch | undefined, invert: boolean, given: object | undefined) =>
    compileMatch({ ...NOTHING, claims: [{ path: [...path], value, invert }] })(
      requestOf({ claims: given as typeof claims, headers: { '@request.auth.claims.group': 'admin', group: 'admin' } }),
    );
  const admin = text({ $case: 'exact', exact: 'admin' });
  for (const [path, value, expected] of [
    [['group'], admin, true],
    [['group'], text({ $case: 'exact', exact: 'Admin' }), false],
    [['group'], text({ $case: 'prefix', prefix: 'adm' }), true],
    [['group'], text({ $case: 'regex', regex: 'a.*n' }), true],
    [['groups'], admin, true],
    [['groups'], text({ $case: 'exact', exact: '7' }), false],
    [['team', 'name'], text({ $case: 'exact', exact: 'red' }), true],
    [['team', 'a.b', 'c'], text({ $case: 'exact', exact: 'deep' }), true],
    [['team'], admin, false],
    [['n'], text({ $case: 'exact', exact: '7' }), false],
    [['n'], text({ $case: 'present', present: true }), true],
    [['no'], text({ $case: 'present', present: true }), false],
    [['groups', '0'], text({ $case: 'present', present: true }), false],
    [['constructor'], undefined, false],
    [['group', 'length'], undefined, false],
  ] as const) {
    it(`${path.join('.')} by ${JSON.stringify(value?.kind)} is ${expected}, and the other way round without`, () => {
      assert.equal(holds(path, value, false, claims), expected);
      assert.equal(holds(path, value, true, claims), !expected);
    });
  }

  it('holds for nobody without a token, whatever headers say, and its absence for everybody without', () => {
    for (const value of [admin, text({ $case: 'prefix', prefix: '' }), undefined]) {
      assert.equal(holds(['group'], value, false, undefined), false);
      assert.equal(holds(['group'], value, true, undefined), true);
    }
  });
});
