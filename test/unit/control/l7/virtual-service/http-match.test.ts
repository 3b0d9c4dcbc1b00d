import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpMatch } from '../../../../../src/proto/gen/ambit.ts';
import { RouteLab, virtualService } from '../../../../helpers/route-lab.ts';

const TO_WEB = [{ destination: { host: 'web' } }];
const exact = (text: string, ignoreCase = false) => ({ kind: { $case: 'exact', exact: text }, ignoreCase });
const prefix = (text: string, ignoreCase = false) => ({ kind: { $case: 'prefix', prefix: text }, ignoreCase });
const regex = (text: string, ignoreCase = false) => ({ kind: { $case: 'regex', regex: text }, ignoreCase });
const PRESENT = { kind: { $case: 'present', present: true }, ignoreCase: false };
const NOTHING = {
  path: undefined,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: [],
  query: [],
  claims: [],
};

function matchOf(match: object, more: object = {}): HttpMatch | undefined {
  return RouteLab.withRules({ match: [match], route: TO_WEB, ...more }).http()[0]?.match;
}

describe('a match', () => {
  it('of a path is exact, a prefix or a regular expression', () => {
    assert.deepEqual(matchOf({ uri: { exact: '/a' } })?.path, exact('/a'));
    assert.deepEqual(matchOf({ uri: { prefix: '/a' } })?.path, prefix('/a'));
    assert.deepEqual(matchOf({ uri: { regex: '/a.*' } })?.path, regex('/a.*'));
    assert.deepEqual(matchOf({ uri: { prefix: '' } })?.path, prefix(''));
  });

  it('ignores the case of a path where asked to, except in a regular expression', () => {
    assert.deepEqual(matchOf({ uri: { exact: '/a' }, ignoreUriCase: true })?.path, exact('/a', true));
    assert.deepEqual(matchOf({ uri: { prefix: '/a' }, ignoreUriCase: true })?.path, prefix('/a', true));
    assert.deepEqual(matchOf({ uri: { regex: '/a' }, ignoreUriCase: true })?.path, regex('/a'));
  });

  it('looks at scheme, method and authority', () => {
    const match = matchOf({ scheme: { exact: 'https' }, method: { regex: 'GET|PUT' }, authority: { prefix: 'web' } });
    assert.deepEqual(match, {
      ...NOTHING,
      scheme: exact('https'),
      method: regex('GET|PUT'),
      authority: prefix('web'),
    });
  });

  it('looks at headers, in lower case, and at their presence', () => {
    const headers = { 'X-User': { exact: 'ann' }, 'x-a': {}, 'x-b': { regex: '*' }, Host: { exact: 'h' }, 'x-n': null };
    assert.deepEqual(matchOf({ headers })?.headers, [
      { name: 'x-user', value: exact('ann'), invert: false },
      { name: 'x-a', value: PRESENT, invert: false },
      { name: 'x-b', value: PRESENT, invert: false },
      { name: ':authority', value: exact('h'), invert: false },
      { name: 'x-n', value: PRESENT, invert: false },
    ]);
  });

  it('inverts what must not be there', () => {
    assert.deepEqual(matchOf({ withoutHeaders: { 'x-bot': { prefix: 'a' } } })?.headers, [
      { name: 'x-bot', value: prefix('a'), invert: true },
    ]);
  });

  it('looks at query parameters, with their case', () => {
    assert.deepEqual(matchOf({ queryParams: { Debug: {}, v: { exact: '' } } })?.query, [
      { name: 'Debug', value: PRESENT, invert: false },
      { name: 'v', value: exact(''), invert: false },
    ]);
  });

  it('that is not given takes everything, and is a prefix where that is replaced', () => {
    assert.deepEqual(RouteLab.withRules({ route: TO_WEB }).http()[0]?.match, NOTHING);
    assert.deepEqual(RouteLab.withRules({ route: TO_WEB, rewrite: { uri: '/x' } }).http()[0]?.match?.path, prefix('/'));
  });

  it('makes a route for each item, named after rule and item', () => {
    const lab = RouteLab.withRules(
      { name: 'r', match: [{ name: 'm', uri: { exact: '/a' } }, { uri: { exact: '/b' } }], route: TO_WEB },
      { match: [{ name: 'm', uri: { exact: '/c' } }], route: TO_WEB },
      { route: TO_WEB },
    );
    assert.deepEqual(
      lab.http().map(({ name }) => name),
      ['r.m', 'r', 'm', 'demo/test[2]'],
    );
  });
});

describe('an item that cannot hold at a waypoint is passed over', () => {
  const rest = [{ match: [{ uri: { exact: '/rest' } }], route: TO_WEB, name: 'rest' }];
  const names = (match: object, spec: object = {}) => {
    const http = [{ name: 'first', match: [match], route: TO_WEB }, ...rest];
    return new RouteLab(virtualService('test', { hosts: ['web'], http, ...spec })).http().map(({ name }) => name);
  };

  it('with labels of the client', () => {
    assert.deepEqual(names({ sourceLabels: { app: 'a' } }), ['rest']);
    assert.deepEqual(names({ sourceLabels: { app: 'a' }, gateways: ['mesh'] }), ['rest']);
  });

  it('with a namespace of the client that is not the waypoint’s', () => {
    assert.deepEqual(names({ sourceNamespace: 'other', uri: { exact: '/' } }), ['rest']);
    assert.deepEqual(names({ sourceNamespace: 'demo', uri: { exact: '/' } }), ['first', 'rest']);
    assert.deepEqual(names({ sourceNamespace: 'other', gateways: ['mesh'], uri: { exact: '/' } }), ['first', 'rest']);
  });

  it('for gateways only', () => {
    assert.deepEqual(names({ gateways: ['edge'] }), ['rest']);
    assert.deepEqual(names({ gateways: ['edge', 'mesh'], uri: { exact: '/' } }), ['first', 'rest']);
  });
});

it('conditions on claims of tokens are told from those on headers', () => {
  const match = {
    headers: { '@request.auth.claims.a.b': { prefix: 'x' }, 'x-a': {} },
    withoutHeaders: { '@request.auth.claims[https://a.b/c][d.e]': {} },
  };
  const built = RouteLab.withRules({ match: [match], route: TO_WEB }).http()[0]?.match;
  assert.deepEqual(built?.claims, [
    { path: ['a', 'b'], value: { kind: { $case: 'prefix', prefix: 'x' }, ignoreCase: false }, invert: false },
    { path: ['https://a.b/c', 'd.e'], value: PRESENT, invert: true },
  ]);
  assert.deepEqual(
    built?.headers.map(({ name }) => name),
    ['x-a'],
  );
});

describe('a port in a match', () => {
  it('makes an entry for each port of the service', () => {
    const lab = RouteLab.withRules(
      { name: 'admin', match: [{ port: 8080 }], route: TO_WEB },
      { name: 'all', route: TO_WEB },
    );
    assert.deepEqual(
      lab.ports().map(({ port, http }) => [port, http.map(({ name }) => name)]),
      [
        [80, ['all']],
        [8080, ['admin']],
      ],
    );
  });

  it('leaves ports alone that no rule concerns', () => {
    const lab = RouteLab.withRules({ match: [{ port: 8080 }], route: TO_WEB });
    assert.deepEqual(
      lab.ports().map(({ port, hasHttp, hasTcp }) => [port, hasHttp, hasTcp]),
      [[8080, true, false]],
    );
  });
});

describe('rules after one that takes everything', () => {
  const all = [{ match: [{ uri: { prefix: '/' } }] }, { match: [{ uri: { regex: '.*' } }] }, {}, { match: [] }];
  for (const rule of all) {
    it(`are left out: ${JSON.stringify(rule)}`, () => {
      const lab = RouteLab.withRules({ ...rule, route: TO_WEB }, { match: [{ uri: { exact: '/x' } }], route: TO_WEB });
      assert.equal(lab.http().length, 1);
    });
  }

  it('stay where the first has a condition', () => {
    const lab = RouteLab.withRules(
      { match: [{ uri: { prefix: '/' }, method: { exact: 'GET' } }], route: TO_WEB },
      { route: TO_WEB },
    );
    assert.equal(lab.http().length, 2);
  });
});
