import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeStrategic } from '../../../src/model/strategic-merge.ts';

type Fields = Readonly<Record<string, unknown>>;

function merged(base: Fields, overlay: Fields): unknown {
  const result = mergeStrategic(base, overlay);
  return result.ok ? result.value : `${result.error.field}: ${result.error.reason}`;
}

describe('a strategic merge', () => {
  it('merges maps field by field, and null takes a field away', () => {
    const base = { spec: { replicas: 1, paused: true, strategy: { type: 'Recreate' } } };
    const overlay = { spec: { replicas: 3, paused: null, strategy: { rollingUpdate: {} } } };
    assert.deepEqual(merged(base, overlay), {
      spec: { replicas: 3, strategy: { type: 'Recreate', rollingUpdate: {} } },
    });
    assert.deepEqual(base.spec.replicas, 1);
  });

  it('merges containers and their variables by name, and adds what is new behind them', () => {
    const base = { containers: [{ name: 'a', image: 'i', env: [{ name: 'X', value: '1' }] }] };
    const env = [
      { name: 'Y', value: '2' },
      { name: 'X', value: '3' },
    ];
    assert.deepEqual(merged(base, { containers: [{ name: 'b' }, { name: 'a', env }] }), {
      containers: [
        {
          name: 'a',
          image: 'i',
          env: [
            { name: 'X', value: '3' },
            { name: 'Y', value: '2' },
          ],
        },
        { name: 'b' },
      ],
    });
  });

  it('merges ports of containers and of Services by their numbers', () => {
    const base = { ports: [{ port: 15008, name: 'mesh' }] };
    assert.deepEqual(merged(base, { ports: [{ port: 15008, nodePort: 30008 }] }), {
      ports: [{ port: 15008, name: 'mesh', nodePort: 30008 }],
    });
    assert.deepEqual(merged({ ports: [{ containerPort: 1 }] }, { ports: [{ containerPort: 2 }] }), {
      ports: [{ containerPort: 1 }, { containerPort: 2 }],
    });
  });

  it('replaces lists without a key', () => {
    assert.deepEqual(merged({ args: ['a', 'b'] }, { args: ['c'] }), { args: ['c'] });
    assert.deepEqual(merged({}, { tolerations: [{ key: 'k' }] }), { tolerations: [{ key: 'k' }] });
  });

  it('follows directives: delete and replace', () => {
    const base = { volumes: [{ name: 'a' }, { name: 'b' }], limits: { cpu: '1', memory: '1Gi' } };
    assert.deepEqual(merged(base, { volumes: [{ name: 'a', $patch: 'delete' }], limits: { $patch: 'delete' } }), {
      volumes: [{ name: 'b' }],
    });
    assert.deepEqual(
      merged(base, { volumes: [{ $patch: 'replace' }, { name: 'c' }], limits: { $patch: 'replace', cpu: '2' } }),
      { volumes: [{ name: 'c' }], limits: { cpu: '2' } },
    );
  });

  it('names the field of an overlay that does not fit', () => {
    const base = { spec: { containers: [{ name: 'a' }], replicas: 1 } };
    for (const [spec, text] of [
      [{ containers: { name: 'a' } }, 'spec.containers: must be a list, is a map'],
      [{ containers: [{ image: 'x' }] }, 'spec.containers[0].name: is required'],
      [{ containers: ['a'] }, 'spec.containers[0]: must be a map, is a single value'],
      [{ replicas: [] }, 'spec.replicas: must be a single value, is a list'],
      [{ $retainKeys: [] }, 'spec.$retainKeys: is not supported'],
      [{ $patch: 'x' }, 'spec.$patch: must be merge, replace or delete'],
    ] as const) {
      assert.equal(merged(base, { spec }), text);
    }
    assert.equal(merged(base, { $patch: 'delete' }), '$patch: the object itself stays');
  });

  it('does not reach the prototype', () => {
    const overlay = JSON.parse('{"__proto__": {"polluted": true}}') as Fields;
    assert.equal(merged({}, overlay), '__proto__: is not supported');
    assert.equal(({} as Fields)['polluted'], undefined);
  });
});
