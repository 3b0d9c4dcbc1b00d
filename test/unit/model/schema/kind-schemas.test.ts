import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { isRecord } from '../../../../src/model/manifest/field-reader.ts';
import { formatFieldPath } from '../../../../src/model/manifest/manifest-problem.ts';
import { readObject } from '../../../../src/model/manifest/read-object.ts';
import { checkSchema } from '../../../../src/model/schema/check-schema.ts';
import { KIND_SCHEMAS, kindSchema } from '../../../../src/model/schema/kind-schemas.ts';
import { type Schema, unknownFields } from '../../../../src/model/schema/schema.ts';
import { maximalSample } from '../../../helpers/schema-sample.ts';
import { TYPICAL_SPECS } from '../../../helpers/typical-specs.ts';

type Path = (string | number)[];

/** The kinds that the mesh reads itself. */
const READ_KINDS = [
  ['security.istio.io', 'AuthorizationPolicy'],
  ['security.istio.io', 'RequestAuthentication'],
  ['security.istio.io', 'PeerAuthentication'],
  ['telemetry.istio.io', 'Telemetry'],
  ['networking.istio.io', 'ServiceEntry'],
  ['networking.istio.io', 'WorkloadEntry'],
  ['networking.istio.io', 'VirtualService'],
  ['networking.istio.io', 'DestinationRule'],
] as const;
const ROOT = new URL('../../../../', import.meta.url);
const nowhere = () => ({ file: 'f', line: 1, column: 1 });

function schemaOf(group: string, kind: string): Schema {
  const schema = kindSchema(group, kind);
  assert.ok(schema !== undefined, `${group} ${kind}`);
  return schema;
}

/** The value, noting every field that is asked for, whether or not it is there. */
function traced(value: unknown, path: Path, asked: Path[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => traced(item, [...path, index], asked));
  if (!isRecord(value)) return value;
  const fields = Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, traced(field, [...path, name], asked)]),
  );
  return new Proxy(fields, {
    getOwnPropertyDescriptor(target, name) {
      asked.push([...path, String(name)]);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
}

function hasPath(schema: Schema | undefined, path: Path): boolean {
  const [step, ...rest] = path;
  if (schema === undefined || step === undefined) return schema !== undefined;
  if (schema.type === 'any') return true;
  if (schema.type === 'list') return hasPath(schema.items, rest);
  if (schema.type === 'map') return hasPath(schema.entries, rest);
  return schema.type === 'object' && hasPath(schema.fields[step], rest);
}

/** A sample of a kind that has a name, so that it is read to its end. */
function namedSample(group: string, kind: string): Record<string, unknown> {
  const sample = maximalSample(schemaOf(group, kind)) as Record<string, unknown>;
  return { ...sample, apiVersion: `${group}/v1`, kind, metadata: { name: 'sample', namespace: 'demo' } };
}

function problemsOf(schema: Schema, value: unknown): string[] {
  const problems = unknownFields(schema, value).map((path) => `${path}: unknown`);
  checkSchema(schema, value, [], (path, reason) => problems.push(`${formatFieldPath(path)}: ${reason}`));
  return problems;
}

/** Objects in the manifests of a folder and in the YAML blocks of its documents. */
function objectsIn(folder: string): Record<string, unknown>[] {
  const files = readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' });
  return files.flatMap((file) => {
    if (!/\.(ya?ml|md)$/.test(file)) return [];
    const content = readFileSync(new URL(`${folder}${file}`, ROOT), 'utf8');
    const texts = file.endsWith('.md')
      ? [...content.matchAll(/```yaml\n(.*?)```/gs)].map((block) => block[1])
      : [content];
    return texts
      .flatMap((text) => [...parseAllDocuments(text ?? '')].map((document) => document.toJS()))
      .filter(isRecord);
  });
}

function kindSchemaOf(value: Record<string, unknown>): Schema | undefined {
  return kindSchema(String(value['apiVersion']).split('/')[0] ?? '', String(value['kind']));
}

describe('the schemas of kinds', () => {
  for (const [group, kind] of READ_KINDS) {
    test(`of ${kind} has every field that its reader asks for`, () => {
      const asked: Path[] = [];
      readObject(traced(namedSample(group, kind), [], asked), nowhere);
      const fields = asked.filter(([first]) => first === 'spec' || first === 'status');
      assert.ok(fields.length > 5, `only ${fields.length} fields were asked for`);
      const missing = fields.filter((path) => !hasPath(schemaOf(group, kind), path)).map(formatFieldPath);
      assert.deepEqual([...new Set(missing)], []);
    });

    test(`of ${kind} has no field that its reader calls unknown`, () => {
      const reading = readObject(namedSample(group, kind), nowhere);
      const problems = reading.kind === 'refused' ? reading.problems : [];
      assert.deepEqual(
        problems.filter(({ reason }) => reason.includes('not a known field')).map(({ field }) => field),
        [],
      );
    });
  }

  test('are found by group and kind, and only for kinds of the mesh', () => {
    assert.equal(KIND_SCHEMAS.length, 13);
    for (const { group, kind } of KIND_SCHEMAS) assert.ok(kindSchema(group, kind) !== undefined, kind);
    assert.equal(kindSchema('gateway.networking.k8s.io', 'Gateway'), undefined);
    assert.equal(kindSchema('', 'Pod'), undefined);
  });

  test('take every object of the examples and of the documentation', () => {
    const objects = [...objectsIn('examples/'), ...objectsIn('docs/')];
    const known = objects.filter((value) => kindSchemaOf(value) !== undefined);
    assert.ok(objects.length > 10);
    for (const value of known) {
      assert.deepEqual(problemsOf(kindSchemaOf(value) as Schema, value), [], JSON.stringify(value));
    }
  });

  for (const { group, kind, versions } of KIND_SCHEMAS) {
    test(`take a typical ${kind}, and its reader does so too`, () => {
      const value = { apiVersion: `${group}/${versions[0]}`, kind, metadata: { name: 'a' }, spec: TYPICAL_SPECS[kind] };
      assert.ok(value.spec !== undefined);
      assert.deepEqual(problemsOf(schemaOf(group, kind), value), []);
      const isRead = READ_KINDS.some(([, name]) => name === kind);
      assert.equal(readObject(value, nowhere).kind, isRead ? 'accepted' : 'ignored');
    });
  }

  test('refuse what has the wrong type, an unknown word, too little or two of what excludes each other', () => {
    const policy = schemaOf('security.istio.io', 'AuthorizationPolicy');
    const problems = (spec: unknown) => problemsOf(policy, { spec });
    assert.equal(problems({ action: 'deny' }).length, 1);
    assert.equal(problems({ rules: {} }).length, 1);
    assert.equal(problems({ rules: [{ from: [] }] }).length, 1);
    assert.equal(problems({ rules: [{ when: [{ values: ['a'] }] }] }).length, 1);
    assert.equal(problems({ selector: {}, targetRefs: [] }).length, 1);
    assert.deepEqual(problems({ ruels: [] }), ['spec.ruels: unknown']);
  });

  test('take durations as Istio writes them and nothing else', () => {
    const route = (timeout: string) => ({ spec: { hosts: ['a'], http: [{ timeout }] } });
    const schema = schemaOf('networking.istio.io', 'VirtualService');
    for (const good of ['0s', '10s', '1.5s', '1h30m', '250ms']) assert.deepEqual(problemsOf(schema, route(good)), []);
    for (const bad of ['', '10', '5 s', 's', '1d']) assert.equal(problemsOf(schema, route(bad)).length, 1, bad);
  });

  test('name only fields that exist in what is required or excludes each other', () => {
    const visit = (schema: Schema, path: string): void => {
      if (schema.type === 'list') visit(schema.items, `${path}[]`);
      if (schema.type === 'map') visit(schema.entries, `${path}{}`);
      if (schema.type !== 'object') return;
      for (const name of [...(schema.required ?? []), ...(schema.atMostOne ?? []).flat()]) {
        assert.ok(Object.hasOwn(schema.fields, name), `${path}.${name}`);
      }
      for (const [name, field] of Object.entries(schema.fields)) visit(field, `${path}.${name}`);
    };
    for (const { kind, spec, status } of KIND_SCHEMAS) {
      visit(spec, `${kind}.spec`);
      visit(status, `${kind}.status`);
    }
  });
});
