import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isRecord } from '../../../../src/model/manifest/field-reader.ts';
import { KIND_SCHEMAS, kindSchema } from '../../../../src/model/schema/kind-schemas.ts';
import { any, list, map, object, type Schema, text, unknownFields } from '../../../../src/model/schema/schema.ts';
import { maximalSample } from '../../../helpers/schema-sample.ts';

const RULES = object({ spec: object({ rules: list(object({ from: text, labels: map(object({ a: text })) })) }) });

/** Every value that comes out of putting one more field into one of the closed objects, with the path of the field. */
function* withOneMore(schema: Schema, value: unknown, path: string): Generator<[value: unknown, path: string]> {
  if (schema.type === 'list' && Array.isArray(value)) {
    for (const [changed, at] of withOneMore(schema.items, value[0], `${path}[0]`)) yield [[changed], at];
  }
  if (schema.type !== 'object' && schema.type !== 'map') return;
  const fields = value as Record<string, unknown>;
  if (schema.type === 'object' && schema.open !== true) yield [{ ...fields, ruels: 1 }, join(path, 'ruels')];
  for (const [name, child] of Object.entries(fields)) {
    const inner = schema.type === 'map' ? schema.entries : schema.fields[name];
    if (inner === undefined) continue;
    for (const [changed, at] of withOneMore(inner, child, join(path, name))) yield [{ ...fields, [name]: changed }, at];
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

describe('unknownFields', () => {
  test('names a misspelt field by its path, in lists and maps too', () => {
    const rules = [{ from: 'a' }, { form: 'a', labels: { x: { a: '1', b: '2' } } }];
    assert.deepEqual(unknownFields(RULES, { spec: { rules }, specs: {} }), [
      'spec.rules[1].form',
      'spec.rules[1].labels.x.b',
      'specs',
    ]);
  });

  test('finds nothing in absent and null fields, in open objects and in what may be anything', () => {
    const schema = object({ a: any, b: object({}, { open: true }) });
    assert.deepEqual(unknownFields(schema, { a: { x: 1 }, b: { y: 1 }, c: null }), []);
    assert.deepEqual(unknownFields(RULES, undefined), []);
  });

  test('leaves what has the wrong type to the check of types', () => {
    assert.deepEqual(unknownFields(RULES, { spec: { rules: { form: 1 } } }), []);
    assert.deepEqual(unknownFields(RULES, { spec: [{ ruels: 1 }] }), []);
  });

  test('does not take what every JavaScript object inherits for a field', () => {
    const value: unknown = JSON.parse('{"constructor": {}, "__proto__": {}, "toString": 1}');
    assert.deepEqual(unknownFields(RULES, value), ['constructor', '__proto__', 'toString']);
  });

  test('finds exactly the one additional field, wherever in an object of any kind it is', () => {
    for (const { group, kind } of KIND_SCHEMAS) {
      const schema = kindSchema(group, kind);
      assert.ok(schema !== undefined);
      const sample = maximalSample(schema);
      assert.deepEqual(unknownFields(schema, sample), [], kind);
      let places = 0;
      for (const [changed, path] of withOneMore(schema, sample, '')) {
        assert.deepEqual(unknownFields(schema, changed), [path], kind);
        places++;
      }
      assert.ok(places >= 3, `${kind} has only ${places} objects`);
    }
  });

  test('takes any value without throwing, and leaves out no unknown field at the top', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KIND_SCHEMAS), fc.jsonValue(), ({ spec }, value) => {
        const found = unknownFields(spec, value);
        const given = isRecord(value) ? Object.keys(value).filter((name) => value[name] !== null) : [];
        for (const name of given) assert.equal(found.includes(name), !Object.hasOwn(spec.fields, name), name);
      }),
      { numRuns: 300 },
    );
  });
});
