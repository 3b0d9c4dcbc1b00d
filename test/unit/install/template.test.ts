import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JsonTextRef, resolveTemplate, text, value, when } from '../../../src/install/template.ts';

const VALUES = {
  image: { tag: '1.0' },
  empty: {},
  list: [],
  off: false,
  zero: 0,
  map: { b: 1, a: 2 },
  namespace: 'mesh',
};

describe('resolveTemplate', () => {
  it('puts values of any type in their places', () => {
    const node = {
      tag: value('image.tag'),
      map: value('map'),
      all: text`x:${value('image.tag')}-${value('namespace')}`,
    };
    assert.deepEqual(resolveTemplate(node, VALUES), { tag: '1.0', map: { b: 1, a: 2 }, all: 'x:1.0-mesh' });
  });

  it('writes a value as JSON where a text is wanted', () => {
    assert.equal(resolveTemplate(new JsonTextRef('map'), VALUES), '{"b":1,"a":2}');
  });

  for (const path of ['empty', 'list', 'off', 'zero']) {
    it(`leaves out what depends on a value that is not set (${path})`, () => {
      const node = { always: 1, field: when(path, 'here'), list: ['a', when(path, 'b')] };
      assert.deepEqual(resolveTemplate(node, VALUES), { always: 1, list: ['a'] });
      assert.equal(resolveTemplate(when(path, { kind: 'X' }), VALUES), undefined);
    });
  }

  it('keeps what depends on a value that is set', () => {
    assert.deepEqual(resolveTemplate({ field: when('map', value('map')) }, VALUES), { field: { b: 1, a: 2 } });
  });

  it('refuses a path that leads nowhere, instead of writing "undefined"', () => {
    assert.throws(() => resolveTemplate(value('image.nope'), VALUES), /no value image\.nope/);
  });
});
