import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { compileJwtRules, type KeySource, poolRules } from '../../../src/authn/jwt-rule.ts';
import type { KeySet } from '../../../src/authn/key-set.ts';
import { TokenAuthenticator } from '../../../src/authn/token-authenticator.ts';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import { JwtIssuer } from '../../helpers/jwt-issuer.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

let red: JwtIssuer;
let blue: JwtIssuer;

function compiled(...jwtRules: readonly object[]) {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'r', namespace: 'shop' },
    spec: { jwtRules },
  };
  const reading = readObject(object, () => ({ file: '', line: 0, column: 0 }));
  assert.ok(reading.kind === 'accepted' && reading.object.kind === 'RequestAuthentication', JSON.stringify(reading));
  const pool = poolRules(compileJwtRules(reading.object));
  assert.ok(pool);
  return pool;
}

/** Requests against rules, at a time that the test chooses. */
function setUp(...jwtRules: readonly object[]) {
  const clock = new ManualClock();
  clock.advance(1_000_000_000);
  const pool = compiled(...jwtRules);
  const asked: KeySource[] = [];
  const keys = new Map<KeySource, KeySet | undefined>();
  const keysOf = (source: KeySource) => {
    asked.push(source);
    return source.kind === 'inline' && !keys.has(source) ? source.keys : keys.get(source);
  };
  const authenticator = new TokenAuthenticator({ clock, keysOf });
  const ask = (headers: readonly HttpHeader[] = [], target = '/') =>
    authenticator.authenticate(pool, { headers, target });
  /** `passed`, the principal, or why it is refused. */
  const verdict = async (headers: readonly HttpHeader[] = [], target = '/') => {
    const outcome = await ask(headers, target);
    if (!outcome.ok) return outcome.error;
    const { claims } = outcome.value;
    return claims === undefined ? 'passed' : `${claims['iss']}/${claims['sub']}`;
  };
  return { clock, pool, asked, keys, ask, verdict };
}

const bearer = (token: string): HttpHeader => ['authorization', `Bearer ${token}`];
const inline = (issuer: JwtIssuer, more: object = {}) => ({ issuer: issuer.name, jwks: issuer.jwks, ...more });
const nowSec = 1_000_000;

before(async () => {
  red = await JwtIssuer.create('https://red', 'RS256');
  blue = await JwtIssuer.create('https://blue', 'ES256');
});

describe('a request under one rule', () => {
  it('passes without a token, and with another kind of credentials', async () => {
    const { verdict, ask } = setUp(inline(red));
    assert.equal(await verdict(), 'passed');
    assert.equal(await verdict([['authorization', 'Basic dTpw']]), 'passed');
    assert.equal(await verdict([['authorization', `bearer ${await red.sign()}`]]), 'passed', 'the prefix is exact');
    assert.ok(!(ask() instanceof Promise), 'at once');
  });

  it('passes with a token of the issuer, and is known by issuer and subject', async () => {
    const { verdict } = setUp(inline(red));
    assert.equal(await verdict([bearer(await red.sign())]), 'https://red/tester');
    assert.equal(await verdict([], `/a?b=c&access_token=${await red.sign()}`), 'https://red/tester');
  });

  it('is refused with a token of anybody else', async () => {
    const { verdict } = setUp(inline(red));
    assert.equal(await verdict([bearer(await blue.sign())]), 'issuer');
    assert.equal(await verdict([bearer(await blue.sign({ iss: red.name }))]), 'noKey');
    const thief = await JwtIssuer.create(red.name, 'RS256');
    assert.equal(await verdict([bearer(await thief.sign())]), 'signature');
    assert.equal(await verdict([bearer(await red.sign({ iss: 'https://red/' }))]), 'issuer', 'the issuer is exact');
  });

  it('takes any issuer where the rule names none', async () => {
    const { verdict, keys, pool } = setUp({ jwksUri: 'https://keys' });
    const [rule] = pool.rules;
    assert.ok(rule);
    const { keys: source } = compiled(inline(red)).rules[0] ?? {};
    keys.set(rule.keys, source?.kind === 'inline' ? source.keys : undefined);
    assert.equal(await verdict([bearer(await red.sign({ iss: 'x' }))]), 'x/tester');
  });

  it('is refused for another audience, asked for nobody in particular where none is given', async () => {
    const { verdict } = setUp(inline(red, { audiences: ['shop', 'bank'] }));
    assert.equal(await verdict([bearer(await red.sign({ aud: ['x', 'bank'] }))]), 'https://red/tester');
    assert.equal(await verdict([bearer(await red.sign({ aud: 'shop' }))]), 'https://red/tester');
    assert.equal(await verdict([bearer(await red.sign({ aud: 'x' }))]), 'audience');
    assert.equal(await verdict([bearer(await red.sign())]), 'audience');
    const open = setUp(inline(red));
    assert.equal(await open.verdict([bearer(await red.sign({ aud: 'x' }))]), 'https://red/tester');
  });

  it('is refused before and after the time of the token, give or take a minute', async () => {
    const { verdict } = setUp(inline(red));
    assert.equal(await verdict([bearer(await red.sign({ exp: nowSec - 60 }))]), 'https://red/tester');
    assert.equal(await verdict([bearer(await red.sign({ exp: nowSec - 61 }))]), 'expired');
    assert.equal(await verdict([bearer(await red.sign({ exp: 0 }))]), 'expired');
    assert.equal(await verdict([bearer(await red.sign({ nbf: nowSec + 60 }))]), 'https://red/tester');
    assert.equal(await verdict([bearer(await red.sign({ nbf: nowSec + 61 }))]), 'notYet');
  });

  it('is refused while there are no keys', async () => {
    const { verdict } = setUp({ issuer: red.name, jwksUri: 'https://keys' });
    assert.equal(await verdict([bearer(await red.sign())]), 'keysMissing');
    assert.equal(await verdict(), 'passed');
  });

  it('has its token where the rule says, and nowhere else', async () => {
    const places = {
      fromHeaders: [{ name: 'X-Token', prefix: 'Jwt ' }, { name: 'x-plain' }],
      fromParams: ['t'],
      fromCookies: ['session'],
    };
    const { verdict } = setUp(inline(red, places));
    const token = await red.sign();
    for (const header of [
      ['x-token', `Jwt ${token}`],
      ['x-plain', token],
      ['cookie', `a=b; session=${token}`],
    ] as const) {
      assert.equal(await verdict([header]), 'https://red/tester', header[0]);
    }
    assert.equal(await verdict([], `/?t=${token}`), 'https://red/tester');
    assert.equal(await verdict([], `/?%74=${token}`), 'https://red/tester');
    assert.equal(await verdict([['x-token', `Jwt${token}`]]), 'passed', 'the blank belongs to the prefix');
    assert.equal(await verdict([bearer(token)]), 'passed');
    assert.equal(await verdict([], `/?access_token=${token}`), 'passed');
  });

  it('needs every token in its places to be right', async () => {
    const { verdict } = setUp(inline(red));
    const good = bearer(await red.sign());
    const bad = bearer(await blue.sign());
    assert.equal(await verdict([good, bad]), 'issuer');
    assert.equal(await verdict([good], '/?access_token=x'), 'format');
    assert.equal(await verdict([good, bearer(await red.sign({ sub: 'second' }))]), 'https://red/tester');
  });
});

describe('a request under several rules', () => {
  it('passes when one accepts its token, or there is none at all', async () => {
    const { verdict } = setUp(inline(red), inline(blue));
    assert.equal(await verdict(), 'passed');
    assert.equal(await verdict([bearer(await red.sign())]), 'https://red/tester');
    assert.equal(await verdict([bearer(await blue.sign())]), 'https://blue/tester');
  });

  it('is refused when none does, for what the rule of its issuer says', async () => {
    const { verdict } = setUp(inline(red), inline(blue, { audiences: ['a'] }));
    assert.equal(await verdict([bearer(await blue.sign({ aud: 'b' }))]), 'audience');
    assert.equal(await verdict([bearer(await blue.sign({ iss: 'https://green' }))]), 'issuer');
    assert.equal(await verdict([bearer('a.b')]), 'format');
  });

  it('is refused with a bad token in the place of one rule and none in that of the other', async () => {
    const { verdict } = setUp(inline(red), inline(blue, { fromHeaders: [{ name: 'x-blue' }] }));
    assert.equal(await verdict([['x-blue', await blue.sign({ exp: 1 })]]), 'expired');
    assert.equal(await verdict([['x-blue', 'x'], bearer(await red.sign())]), 'https://red/tester');
  });
});

describe('what goes on', () => {
  const passed = async (rule: object, headers: readonly HttpHeader[], target = '/') => {
    const outcome = await setUp(inline(red, rule)).ask(headers, target);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.value;
  };

  it('has no token left, but for cookies', async () => {
    const token = await red.sign();
    const other: HttpHeader = ['accept', '*/*'];
    assert.deepEqual((await passed({}, [other, bearer(token)])).headers, [other]);
    assert.equal((await passed({}, [], `/p?a=1&access_token=${token}&b=%20`)).target, '/p?a=1&b=%20');
    assert.equal((await passed({}, [], `/p?access_token=${token}`)).target, '/p');
    const cookie: HttpHeader = ['cookie', `s=${token}`];
    assert.deepEqual((await passed({ fromCookies: ['s'] }, [cookie])).headers, [cookie]);
  });

  it('has its token where the rule forwards it', async () => {
    const header = bearer(await red.sign());
    const rule = { forwardOriginalToken: true };
    assert.deepEqual((await passed(rule, [header])).headers, [header]);
    const target = `/?access_token=${await red.sign()}`;
    assert.equal((await passed(rule, [], target)).target, target);
  });

  it('has payload and claims in headers', async () => {
    const claims = {
      n: 7,
      yes: true,
      a: { b: { c: 'deep' } },
      list: ['x', 'y'],
      name: 'Zoë',
      scope: 'read write',
      lines: 'a\r\nx-admin: yes',
      none: null,
    };
    const names = [
      'sub',
      'n',
      'yes',
      'a.b.c',
      'list',
      'name',
      'scope',
      'lines',
      'none',
      'gone',
      'a.b.c.d',
      'sub.length',
    ];
    const rule = {
      outputPayloadToHeader: 'X-Payload',
      outputClaimToHeaders: names.map((claim, index) => ({ header: `X-${index}`, claim })),
    };
    const { headers } = await passed(rule, [bearer(await red.sign(claims))]);
    const [payload, ...rest] = headers;
    assert.equal(payload?.[0], 'x-payload');
    assert.deepEqual(JSON.parse(Buffer.from(payload?.[1] ?? '', 'base64url').toString()), {
      iss: red.name,
      sub: 'tester',
      ...claims,
    });
    assert.deepEqual(rest, [
      ['x-0', 'tester'],
      ['x-1', '7'],
      ['x-2', 'true'],
      ['x-3', 'deep'],
      ['x-4', '["x","y"]'],
      ['x-5', Buffer.from('Zoë').toString('latin1')],
      ['x-6', 'read write'],
    ]);
  });

  it('never has such a header from the client', async () => {
    const rule = {
      outputPayloadToHeader: 'x-payload',
      outputClaimToHeaders: [{ header: 'x-role', claim: 'role' }],
    };
    const forged: HttpHeader[] = [
      ['x-role', 'admin'],
      ['x-payload', 'e30'],
    ];
    assert.deepEqual((await passed(rule, forged)).headers, []);
    const { headers } = await passed(rule, [...forged, bearer(await red.sign({ role: 'guest' }))]);
    assert.deepEqual(
      headers.filter(([name]) => name === 'x-role'),
      [['x-role', 'guest']],
    );
    const without = await passed(rule, [...forged, bearer(await red.sign())]);
    assert.ok(!without.headers.some(([name]) => name === 'x-role'));
  });

  it('has lists of what is separated by blanks', async () => {
    const token = bearer(await red.sign({ scope: 'read  write', permission: 'p', roles: 'a b', other: 'c d' }));
    const { claims } = await passed({ spaceDelimitedClaims: ['roles', 'gone'] }, [token]);
    const { scope, permission, roles, other } = claims ?? {};
    assert.deepEqual([scope, permission, roles, other], [['read', 'write'], ['p'], ['a', 'b'], 'c d']);
  });
});

describe('a token that was seen before', () => {
  it('passes at once until it expires, and never after', async () => {
    const { ask, clock, verdict } = setUp(inline(red));
    const headers = [bearer(await red.sign({ exp: nowSec + 10 }))];
    assert.ok(ask(headers) instanceof Promise);
    await ask(headers);
    const again = ask(headers);
    assert.ok(!(again instanceof Promise) && again.ok && again.value.claims?.['sub'] === 'tester');
    clock.advance(10_000);
    assert.ok(ask(headers) instanceof Promise, 'it is looked at again');
    clock.advance(61_000);
    assert.equal(await verdict(headers), 'expired');
  });

  it('counts no longer when the keys are others', async () => {
    const { ask, keys, pool, verdict } = setUp({ issuer: red.name, jwksUri: 'https://keys' });
    const source = pool.rules[0]?.keys;
    const own = compiled(inline(red)).rules[0]?.keys;
    const others = compiled(inline(blue)).rules[0]?.keys;
    assert.ok(source && own?.kind === 'inline' && others?.kind === 'inline');
    keys.set(source, own.keys);
    const headers = [bearer(await red.sign())];
    await ask(headers);
    assert.ok(!(ask(headers) instanceof Promise));
    keys.set(source, others.keys);
    assert.equal(await verdict(headers), 'noKey');
  });

  it('is refused again when it was refused', async () => {
    const { verdict } = setUp(inline(red));
    const headers = [bearer(await red.sign({ exp: 1 }))];
    assert.equal(await verdict(headers), 'expired');
    assert.equal(await verdict(headers), 'expired');
  });
});
