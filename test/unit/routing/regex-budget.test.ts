import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpMatch, HttpRoute } from '../../../src/proto/gen/ambit.ts';
import { HttpRoutes } from '../../../src/routing/compile-routes.ts';
import { compileCors } from '../../../src/routing/cors.ts';
import { RegexPool } from '../../../src/routing/regex-pool.ts';
import { requestOf } from '../../helpers/routed-request.ts';

const ADVERSE = '/.*(a|b){1,300}!';
const regex = (pattern: string) => ({ kind: { $case: 'regex' as const, regex: pattern }, ignoreCase: false });
const ANY: HttpMatch = {
  path: undefined,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: [],
  query: [],
  claims: [],
};

function route(name: string, match: Partial<HttpMatch>): HttpRoute {
  return {
    name,
    match: { ...ANY, ...match },
    action: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    fault: undefined,
    cors: undefined,
  };
}

describe('the cost of regular expressions', () => {
  const long = `/${'a'.repeat(20_000)}`;

  it('is nobody else’s route: a request that is too long for a pattern has none', () => {
    const routes = new HttpRoutes([route('adverse', { path: regex(ADVERSE) }), route('rest', {})]);
    const request = requestOf({ target: long });
    assert.equal(routes.find(request), undefined);
    assert.equal(request.regexBudget.exceededBy, 'target');
    const short = requestOf({ target: '/aaa' });
    assert.equal(routes.find(short)?.name, 'rest');
    assert.equal(short.regexBudget.exceededBy, undefined);
  });

  it('lets no inverted match hold because its pattern was not tried', () => {
    const headers = [{ name: 'x', value: regex(ADVERSE), invert: true }];
    const request = requestOf({ headers: { x: long } });
    assert.equal(new HttpRoutes([route('inverted', { headers })]).find(request), undefined);
    assert.equal(request.regexBudget.exceededBy, 'header');
  });

  it('is that of all patterns together', () => {
    const many = Array.from({ length: 200 }, (_, index) =>
      route(`r${index}`, { path: regex(`/${index}/[a-z]{1,10}`) }),
    );
    const request = requestOf({ target: `/${'a'.repeat(8000)}` });
    assert.equal(new HttpRoutes(many).find(request), undefined);
    assert.equal(request.regexBudget.exceededBy, 'target');
    const common = requestOf({ target: `/7/${'a'.repeat(5)}` });
    assert.equal(new HttpRoutes(many).find(common)?.name, 'r7');
  });

  it('counts for what is asked about query parameters, origins and claims', () => {
    const query = [{ name: 'q', value: regex(ADVERSE), invert: false }];
    const asked = requestOf({ target: `/?q=${long}` });
    new HttpRoutes([route('q', { query })]).find(asked);
    assert.equal(asked.regexBudget.exceededBy, 'target');
    const claims = [{ path: ['group'], value: regex(ADVERSE), invert: true }];
    const claimed = requestOf({ claims: { group: long } });
    assert.equal(new HttpRoutes([route('claim', { claims })]).find(claimed), undefined);
    assert.equal(claimed.regexBudget.exceededBy, 'header');
    const origin = requestOf({ headers: { origin: long } });
    compileCors({
      allowOrigins: [regex(ADVERSE)],
      allowMethods: [],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSec: 0,
      allowCredentials: false,
      answerUnmatchedPreflights: false,
    })(origin);
    assert.equal(origin.regexBudget.exceededBy, 'header');
  });
});

describe('the regular expressions of a service', () => {
  it('are compiled once where they are the same', () => {
    const pool = new RegexPool();
    assert.equal(pool.compile('/a.*'), pool.compile('/a.*'));
    assert.notEqual(pool.compile('/a.*'), pool.compile('/a.*', true));
  });

  it('are refused when they are too many, or too large together', () => {
    const many = new RegexPool();
    assert.throws(() => {
      for (let index = 0; index <= 1000; index++) many.compile(`a${index}`);
    }, /more than 1000 regular expressions/);
    const large = new RegexPool();
    assert.throws(() => {
      for (let index = 0; index < 30; index++) large.compile(`a{1,900}${index}`);
    }, /50000 instructions in all/);
  });
});
