import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseMeshConfig } from '../../../src/model/mesh-config.ts';
import { isNamespaceSelected } from '../../../src/model/namespace-selection.ts';

describe('parseMeshConfig', () => {
  it('reads the fields of L4 and leaves others alone', () => {
    const parsed = parseMeshConfig(`
trustDomain: example.org
rootNamespace: mesh
enableTracing: true
discoverySelectors:
- matchLabels: {env: prod}
  matchExpressions:
  - {key: team, operator: In, values: [a, b]}
`);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.trustDomain, 'example.org');
    assert.equal(parsed.value.rootNamespace, 'mesh');
    assert.deepEqual(parsed.value.discoverySelectors, [
      [
        { key: 'env', operator: 'In', values: ['prod'] },
        { key: 'team', operator: 'In', values: ['a', 'b'] },
      ],
    ]);
  });

  it('takes an empty text for no configuration', () => {
    assert.deepEqual(parseMeshConfig(''), { ok: true, value: { discoverySelectors: [] } });
  });

  it('refuses what would change who is trusted or looked at by mistake', () => {
    const texts = [
      'trustDomain: 7',
      'trustDomain: ""',
      'trustDomain: a/b',
      'rootNamespace: Not_A_Name',
      'discoverySelectors: {}',
      'discoverySelectors: [x]',
      'discoverySelectors: [{matchExpressions: [{key: a, operator: Like}]}]',
      'discoverySelectors: [{matchLabels: {a: 1}}]',
      '[]',
      'a: [',
    ];
    for (const text of texts) assert.equal(parseMeshConfig(text).ok, false, text);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseMeshConfig(text).ok === 'boolean'));
    fc.assert(fc.property(fc.json(), (text) => typeof parseMeshConfig(text).ok === 'boolean'));
  });
});

describe('isNamespaceSelected', () => {
  const labels = new Map([['env', 'prod']]);

  it('selects everything without selectors, and what any of them matches', () => {
    assert.equal(isNamespaceSelected([], labels), true);
    const other = [{ key: 'env', operator: 'In', values: ['test'] }] as const;
    const own = [{ key: 'env', operator: 'In', values: ['prod'] }] as const;
    assert.equal(isNamespaceSelected([other], labels), false);
    assert.equal(isNamespaceSelected([other, own], labels), true);
  });

  it('knows every operator', () => {
    const holds = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
      isNamespaceSelected([[{ key, operator, values }]], labels);
    assert.equal(holds('env', 'NotIn', 'prod'), false);
    assert.equal(holds('none', 'NotIn', 'prod'), true);
    assert.equal(holds('env', 'Exists'), true);
    assert.equal(holds('none', 'Exists'), false);
    assert.equal(holds('env', 'DoesNotExist'), false);
    assert.equal(holds('none', 'DoesNotExist'), true);
  });
});
