import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isConfName, parseConfFile, withoutPlugin, withPlugin } from '../../../../src/agent/cni/conf-file.ts';

const PLUGIN = { type: 'ambit-cni', x: [1] } as const;

describe('CNI configuration files', () => {
  it('are those that container runtimes look at', () => {
    const names = [
      'a.conflist',
      'a.conf',
      'a.json',
      'a.conf.bak',
      '.a.conf',
      'a.conf.ambit-saved',
      'a.conflist.ambit-new',
    ];
    assert.deepEqual(names.filter(isConfName), ['a.conflist', 'a.conf', 'a.json']);
  });

  it('get the plugin last, once, and are as before without it', () => {
    const plugin = fc.record({ type: fc.constantFrom('bridge', 'portmap', 'x'), y: fc.jsonValue() });
    fc.assert(
      fc.property(fc.array(plugin, { minLength: 1 }), fc.dictionary(fc.string(), fc.jsonValue()), (plugins, rest) => {
        const before = { ...rest, plugins };
        const file = parseConfFile('a.conflist', JSON.stringify(before));
        assert.ok(file !== undefined);
        const text = withPlugin(file, PLUGIN);
        assert.ok(text !== undefined);
        const after = parseConfFile('a.conflist', text);
        assert.ok(after?.kind === 'list');
        assert.deepEqual(after.plugins.at(-1), PLUGIN);
        assert.equal(withPlugin(after, PLUGIN), undefined);
        assert.deepEqual(JSON.parse(withoutPlugin(after) ?? ''), JSON.parse(JSON.stringify(before)));
      }),
    );
  });

  it('are left alone when they are broken', () => {
    fc.assert(
      fc.property(fc.constantFrom('a.conflist', 'a.conf'), fc.oneof(fc.json(), fc.string()), (name, text) => {
        const file = parseConfFile(name, text);
        if (file !== undefined) withPlugin(file, PLUGIN);
      }),
    );
    for (const text of ['{', '[]', '{"plugins":[]}', '{"plugins":[5]}', '{"plugins":{}}', 'null']) {
      assert.equal(parseConfFile('a.conflist', text), undefined);
    }
    assert.equal(parseConfFile('a.conf', '{"name":"x"}'), undefined);
  });
});
