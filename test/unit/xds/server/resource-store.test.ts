import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ResourceStore } from '../../../../src/xds/server/resource-store.ts';
import type { StoredResource } from '../../../../src/xds/server/stored-resource.ts';

function resource(name: string, fields: Partial<StoredResource> = {}): StoredResource {
  return { name, version: '1', value: Buffer.from(name), aliases: [], groups: [], ...fields };
}

describe('ResourceStore', () => {
  test('finds resources by name and alias, and members with their group, but no group by its member', () => {
    const store = new ResourceStore('t');
    store.update([resource('svc', { aliases: ['net/v'] }), resource('w', { aliases: ['net/w'], groups: ['svc'] })]);
    assert.deepEqual(store.lookup('net/v').sort(), ['svc', 'w']);
    assert.deepEqual(store.lookup('net/w'), ['w']);
    assert.deepEqual(store.lookup('nothing'), []);
  });

  test('does not find members of a group that does not exist', () => {
    const store = new ResourceStore('t');
    store.update([resource('w', { groups: ['svc'] })]);
    assert.deepEqual(store.lookup('svc'), []);
  });

  test('reports old and new keys of a change and nothing for equal content', () => {
    const store = new ResourceStore('t');
    const seen: unknown[] = [];
    store.update([resource('w', { aliases: ['net/1'] })]);
    store.subscribe((changes) => seen.push(...changes));
    store.update([resource('w', { aliases: ['net/2'] })]);
    assert.deepEqual(seen, []);
    store.update([resource('w', { aliases: ['net/2'], value: Buffer.from('other') })]);
    assert.deepEqual(seen, [{ name: 'w', keys: ['net/1', 'net/2'] }]);
    assert.deepEqual([store.lookup('net/1'), store.lookup('net/2')], [[], ['w']]);
  });

  test('of a type that hardly anybody asks for is filled when the first client comes, and once', () => {
    let filled = 0;
    const store = new ResourceStore('t', [], () => {
      filled++;
      return [resource('w')];
    });
    assert.deepEqual([store.isWanted, store.size], [false, 0]);
    const heard: unknown[] = [];
    store.subscribe((changes) => heard.push(changes));
    store.subscribe((changes) => heard.push(changes));
    assert.deepEqual([store.isWanted, [...store.names()], filled, heard], [true, ['w'], 1, []]);
  });
});
