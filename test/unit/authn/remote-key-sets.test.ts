import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { JwtRule, RemoteKeys } from '../../../src/authn/jwt-rule.ts';
import { RemoteKeySets } from '../../../src/authn/remote-key-sets.ts';
import { type Logger, silentLogger } from '../../../src/base/logger.ts';
import { fail, ok, type Result } from '../../../src/base/result.ts';
import { JwtIssuer } from '../../helpers/jwt-issuer.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const MINUTE_MS = 60_000;
const settle = () => new Promise((resolve) => setImmediate(resolve));
const at = (url: string, isDiscovery = false): RemoteKeys => ({ kind: 'remote', url, isDiscovery, timeoutMs: 5000 });

let jwks = '';
let others = '';
before(async () => {
  jwks = (await JwtIssuer.create('a', 'ES256')).jwks;
  others = (await JwtIssuer.create('a', 'ES256')).jwks;
});

/** Fetches are answered by the test, in order. */
function setUp() {
  const clock = new ManualClock();
  const fetches: { url: string; timeoutMs: number; answer: (result: Result<string, string>) => Promise<unknown> }[] =
    [];
  const warnings: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  };
  const sets = new RemoteKeySets({
    clock,
    random: () => 0.5,
    logger,
    fetch: (url, timeoutMs) =>
      new Promise((resolve) => {
        const answer = (result: Result<string, string>) => {
          resolve(result);
          return settle();
        };
        fetches.push({ url, timeoutMs, answer });
      }),
  });
  const last = () => {
    const fetch = fetches.at(-1);
    assert.ok(fetch);
    return fetch;
  };
  return { clock, fetches, warnings, sets, last };
}

describe('keys that are fetched', () => {
  it('are fetched once for all who wait for them, and then there at once', async () => {
    const { sets, fetches, last } = setUp();
    const waiting = [sets.of(at('http://a')), sets.of(at('http://a')), sets.of({ ...at('http://a') })];
    assert.equal(fetches.length, 1);
    assert.deepEqual([last().url, last().timeoutMs], ['http://a', 5000]);
    await last().answer(ok(jwks));
    const [first, ...rest] = await Promise.all(waiting);
    assert.ok(first);
    for (const one of rest) assert.equal(one, first);
    assert.equal(sets.of(at('http://a')), first);
    assert.equal(fetches.length, 1);
  });

  it('are refreshed every twenty minutes, and stay the same while the issuer says the same', async () => {
    const { sets, fetches, clock, last } = setUp();
    void sets.of(at('http://a'));
    await last().answer(ok(jwks));
    const before = sets.of(at('http://a'));
    clock.advance(20 * MINUTE_MS - 1);
    assert.equal(fetches.length, 1);
    clock.advance(1);
    assert.equal(fetches.length, 2);
    assert.equal(sets.of(at('http://a')), before, 'nobody waits for a refresh');
    await last().answer(ok(jwks));
    assert.equal(sets.of(at('http://a')), before);
    clock.advance(20 * MINUTE_MS);
    await last().answer(ok(others));
    const after = sets.of(at('http://a'));
    assert.ok(after !== undefined && after !== before);
  });

  it('are none while they cannot be had; it is tried again after a minute, then twice as long', async () => {
    const { sets, fetches, clock, last, warnings } = setUp();
    const waiting = sets.of(at('http://user:secret@a/keys?key=secret'));
    await last().answer(fail('refused'));
    assert.equal(await waiting, undefined);
    assert.match(warnings[0] ?? '', /all tokens of its rules are refused/);
    assert.ok(!warnings.join().includes('secret'));
    for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
      assert.equal(sets.of(at('http://user:secret@a/keys?key=secret')), undefined);
      const { length } = fetches;
      clock.advance(minutes * MINUTE_MS - 1);
      assert.equal(fetches.length, length);
      clock.advance(1);
      assert.equal(fetches.length, length + 1);
      await last().answer(ok(minutes === 4 ? '{"keys": 1}' : minutes === 8 ? '' : '<html>'));
    }
    clock.advance(60 * MINUTE_MS);
    await last().answer(ok(jwks));
    assert.ok(sets.of(at('http://user:secret@a/keys?key=secret')));
    assert.deepEqual(clock.waitingMs, [20 * MINUTE_MS]);
  });

  it('stay as they were while a refresh fails', async () => {
    const { sets, clock, last, warnings } = setUp();
    void sets.of(at('http://a'));
    await last().answer(ok(jwks));
    const keys = sets.of(at('http://a'));
    clock.advance(20 * MINUTE_MS);
    await last().answer(fail('gone'));
    assert.equal(sets.of(at('http://a')), keys);
    assert.match(warnings[0] ?? '', /last good keys stay/);
    assert.deepEqual(clock.waitingMs, [MINUTE_MS]);
  });

  it('are where the metadata of the issuer says', async () => {
    const { sets, fetches, last } = setUp();
    const waiting = sets.of(at('https://a/.well-known/openid-configuration', true));
    await last().answer(ok('{"jwks_uri":"https://b/keys"}'));
    assert.equal(last().url, 'https://b/keys');
    await last().answer(ok(jwks));
    assert.ok(await waiting);
    assert.equal(fetches.length, 2);
  });

  it('are none when the metadata names no place', async () => {
    for (const text of ['', '{}', 'null', '[]', '{"jwks_uri":7}', '{"jwks_uri":"keys"}']) {
      const { sets, last } = setUp();
      const waiting = sets.of(at('https://a', true));
      await last().answer(ok(text));
      assert.equal(await waiting, undefined, text);
    }
  });

  it('are forgotten with the last rule that names them, also while they are fetched', async () => {
    const { sets, fetches, clock, last } = setUp();
    void sets.of(at('http://a'));
    await last().answer(ok(jwks));
    void sets.of(at('http://b'));
    sets.retain([{ keys: at('http://a') } as JwtRule]);
    await last().answer(ok(jwks));
    assert.deepEqual(clock.waitingMs, [20 * MINUTE_MS]);
    sets.retain([]);
    assert.deepEqual(clock.waitingMs, []);
    void sets.of(at('http://a'));
    assert.equal(fetches.length, 3);
  });

  it('are of 64 places at most', () => {
    const { sets, fetches } = setUp();
    for (let index = 0; index < 70; index++) void sets.of(at(`http://a/${index}`));
    assert.equal(fetches.length, 64);
    assert.equal(sets.of(at('http://a/69')), undefined);
  });

  it('need no fetch where the rule has them', () => {
    const { sets, fetches } = setUp();
    assert.equal(sets.of({ kind: 'inline', keys: undefined }), undefined);
    assert.equal(fetches.length, 0);
  });
});
