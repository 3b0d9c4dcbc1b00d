import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findProblems } from '../../../../src/control/webhook/configuration-findings.ts';
import { KIND_SCHEMAS, kindSchema } from '../../../../src/model/schema/kind-schemas.ts';
import type { Schema } from '../../../../src/model/schema/schema.ts';
import { findingsOf } from '../../../helpers/admission-tables.ts';
import { CLASSIC_CONFIGURATIONS } from '../../../helpers/classic-configurations.ts';
import { maximalSample } from '../../../helpers/schema-sample.ts';
import { TYPICAL_SPECS } from '../../../helpers/typical-specs.ts';

const MAX_TEXT = 300;

/** Values in the shape of a schema, and now and then anything at all. */
function shaped(schema: Schema | undefined): fc.Arbitrary<unknown> {
  const anything = fc.jsonValue({ maxDepth: 2 });
  if (schema === undefined || schema.type === 'any') return anything;
  const right = rightShape(schema);
  return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: anything });
}

function rightShape(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'object': {
      const fields = Object.fromEntries(Object.entries(schema.fields).map(([name, field]) => [name, shaped(field)]));
      return fc.record(fields, { requiredKeys: [] });
    }
    case 'list':
      return fc.array(shaped(schema.items), { maxLength: 3 });
    case 'map':
      return fc.dictionary(fc.string(), shaped(schema.entries), { maxKeys: 3 });
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double());
    default:
      return fc.oneof(
        fc.string(),
        fc.constantFrom('', '*', '1s', '0s', '*.a.com', '/', '%', '(?i)', '[', ...(schemaValues(schema) ?? [])),
      );
  }
}

function schemaValues(schema: Schema): readonly string[] | undefined {
  return schema.type === 'string' ? schema.values : undefined;
}

describe('the admission of configuration', () => {
  for (const [kind, title, spec] of CLASSIC_CONFIGURATIONS) {
    it(`takes ${title} (${kind}) without a word, in every version`, () => {
      const versions = KIND_SCHEMAS.find((known) => known.kind === kind)?.versions ?? [];
      assert.ok(versions.length > 0);
      for (const version of versions) {
        assert.deepEqual(findingsOf(kind, spec, version), { errors: [], warnings: [] }, version);
      }
    });
  }

  for (const { kind } of KIND_SCHEMAS) {
    it(`takes a typical ${kind} without a word`, () => {
      assert.deepEqual(findingsOf(kind, TYPICAL_SPECS[kind]), { errors: [], warnings: [] });
    });
  }

  it('never throws, and quotes no more than fits, whatever an object of any kind holds', () => {
    for (const { group, kind, spec, versions } of KIND_SCHEMAS) {
      fc.assert(
        fc.property(shaped(spec), (value) => {
          const { errors, warnings } = findProblems({ apiVersion: `${group}/${versions[0]}`, kind, spec: value });
          for (const text of [...errors, ...warnings]) assert.ok(text.length <= MAX_TEXT + 20, text);
        }),
        { numRuns: 150 },
      );
    }
  });

  it('never throws on an object whose kind is none', () => {
    const odd: unknown = JSON.parse('{"apiVersion":"a/b","kind":{"toString":1},"spec":{"__proto__":1}}');
    assert.doesNotThrow(() => findProblems(odd));
  });

  it('finds nothing to throw at in an object that has every field', () => {
    for (const { group, kind } of KIND_SCHEMAS) {
      const sample = maximalSample(kindSchema(group, kind) as Schema) as Record<string, unknown>;
      assert.doesNotThrow(() => findProblems({ ...sample, apiVersion: `${group}/v1`, kind }), kind);
    }
  });

  it('is bounded for objects as large as an API server takes', () => {
    const many = <T>(make: (index: number) => T) => Array.from({ length: 20_000 }, (_, index) => make(index));
    const hosts = many((index) => `*.a${index}.${'b.'.repeat(60)}com`);
    const rules = many(() => ({ match: [{ uri: { regex: '((((('.repeat(20) } }] }));
    const { errors, warnings } = findingsOf('VirtualService', { hosts, http: rules });
    assert.ok(errors.length <= 200 && warnings.length <= 200, `${errors.length} ${warnings.length}`);
  });

  it('reports errors however many warnings there are', () => {
    const odd = { match: [{ sourceLabels: { a: 'b' } }], route: [{ destination: { host: 'web' } }] };
    const http = [...Array.from({ length: 500 }, () => odd), { route: [{ destination: { host: '*' } }] }];
    const { errors, warnings } = findingsOf('VirtualService', { hosts: ['web'], http });
    assert.equal(errors.length, 1);
    assert.equal(warnings.length, 200);
  });
});
