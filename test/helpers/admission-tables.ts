/** Tables of what the admission webhook refuses, and of the neighbour that it takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigurationFindings, findProblems } from '../../src/control/webhook/configuration-findings.ts';
import { KIND_SCHEMAS } from '../../src/model/schema/kind-schemas.ts';

type Spec = Readonly<Record<string, unknown>>;

/** What is wrong, a spec that has it, the nearest one that has not, and what the answer has to say. */
export type RefusalRow = readonly [title: string, refused: Spec, accepted: Spec, says: RegExp];

/** The findings for a spec of a kind. @param version the stored one by default */
export function findingsOf(kind: string, spec: unknown, version?: string): ConfigurationFindings {
  const schema = KIND_SCHEMAS.find((known) => known.kind === kind);
  assert.ok(schema !== undefined, kind);
  const apiVersion = `${schema.group}/${version ?? schema.versions[0]}`;
  return findProblems({ apiVersion, kind, metadata: { name: 'sample', namespace: 'demo' }, spec });
}

/** One test for each row: exactly one error for the one, none for the other. */
export function testRefusals(kind: string, rows: readonly RefusalRow[]): void {
  for (const [title, refused, accepted, says] of rows) {
    test(`refuses ${title}`, () => {
      const { errors } = findingsOf(kind, refused);
      assert.equal(errors.length, 1, JSON.stringify(errors));
      assert.match(errors[0] ?? '', says);
      assert.deepEqual(findingsOf(kind, accepted).errors, []);
    });
  }
}

/** One test for each row: both are taken, the first with a warning. */
export function testWarnings(kind: string, rows: readonly RefusalRow[]): void {
  for (const [title, odd, plain, says] of rows) {
    test(`warns of ${title}`, () => {
      const { errors, warnings } = findingsOf(kind, odd);
      assert.deepEqual(errors, []);
      assert.equal(warnings.length, 1, JSON.stringify(warnings));
      assert.match(warnings[0] ?? '', says);
      assert.deepEqual(findingsOf(kind, plain), { errors: [], warnings: [] });
    });
  }
}
