import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { normalizePath } from '../../../src/http/normalize-path.ts';

describe('the path of a request', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/a/b?x=%2e%2E/..', '/a/b?x=%2e%2E/..'],
    ['/%61dmin', '/admin'],
    ['/%2e%2e/admin', '/admin'],
    ['/a/%2E%2e/b', '/b'],
    ['/a/./b/../c', '/a/c'],
    ['/a/..', '/'],
    ['/a/.', '/a/'],
    ['/../../x', '/x'],
    ['/a\\b\\..\\c', '/a/c'],
    ['/a//b', '/a//b'],
    ['//a', '//a'],
    ['/a%2fb', '/a%2Fb'],
    ['/a%5cb', '/a%5Cb'],
    ['/%7Euser%20x', '/~user%20x'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['*', '*'],
  ];
  for (const [given, expected] of cases) {
    it(`${given} is ${expected}`, () => {
      assert.equal(normalizePath(given), expected);
      assert.equal(normalizePath(expected), expected, 'once more changes nothing');
    });
  }

  it('is refused with a NUL, a fragment, a broken escape, or when it is none', () => {
    for (const target of ['/a%00b', '/a\0', '/a#b', '/a?b#c', '/a%', '/a%2', '/%zz', 'a/b', '', 'http://x/y']) {
      assert.equal(normalizePath(target), undefined, JSON.stringify(target));
    }
  });

  it('has one spelling, whatever it was written like', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return seed % below;
    };
    const pieces = ['/', '.', '..', '%2e', '%2F', '\\', 'a', '%61', '%C3', '/', '~'];
    for (let round = 0; round < 20_000; round++) {
      const path = `/${Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('')}`;
      const once = normalizePath(path);
      if (once === undefined) assert.fail(path);
      assert.ok(once.startsWith('/'), path);
      assert.equal(normalizePath(once), once, path);
      assert.doesNotMatch(once, /\\|%61|%2e|\/\.\.?(\/|$)/, path);
    }
  });
});
