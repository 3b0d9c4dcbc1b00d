/** Holds the spec of an object against the schema and the rules of its kind, as the webhook does. */
import { checkSchema } from '../schema/check-schema.ts';
import { type Schema, unknownFields } from '../schema/schema.ts';
import { FieldReader } from './field-reader.ts';
import { type FieldPath, formatFieldPath } from './manifest-problem.ts';

/** Reports each problem to the reader; of a field that the schema objects to, the rules say nothing more. */
export function checkAgainst(root: FieldReader, schema: Schema, rules: (spec: FieldReader) => void): void {
  const spec = root.raw('spec') ?? {};
  for (const field of unknownFields(schema, spec)) root.reportAt(['spec', field], 'is not a known field');
  const reported = new Set<string>();
  checkSchema(schema, spec, ['spec'], (path, reason) => {
    reported.add(formatFieldPath(path));
    root.reportAt(path, reason);
  });
  const reportNew = (path: FieldPath, reason: string) => {
    if (!reported.has(formatFieldPath(path))) root.reportAt(path, reason);
  };
  rules(new FieldReader(spec, ['spec'], reportNew));
}
