/**
 * Objects whose kind has a schema and rules (facts l7-and-control 9.4): read by these alone, so that a folder and the
 * admission webhook refuse the same objects for the same reasons.
 */
import { checkSchema } from '../schema/check-schema.ts';
import type { KindSchema } from '../schema/kind-schema.ts';
import { any, object, type Schema, unknownPaths } from '../schema/schema.ts';
import { checkKindRules } from '../validation/kind-rules.ts';
import { type FieldReader, isRecord } from './field-reader.ts';
import { type FieldPath, formatFieldPath } from './manifest-problem.ts';

/**
 * Reports everything that the schema and the rules of the kind refuse, each field once.
 * @returns the spec without nulls, which count as absent; its shape is that of the schema if nothing was reported
 */
export function readCheckedSpec({ group, kind, spec }: KindSchema, root: FieldReader): unknown {
  const whole = object({ apiVersion: any, kind: any, metadata: any, status: any, spec });
  const reported = new Set<string>();
  const reportNew = () => {
    const known = new Set(reported);
    return (path: FieldPath, reason: string) => {
      const field = formatFieldPath(path);
      if (known.has(field)) return;
      reported.add(field);
      root.reportAt(path, reason);
    };
  };
  const reportUnknown = reportNew();
  for (const path of unknownPaths(whole, root.fields)) reportUnknown(path, 'is not a known field');
  checkSchema(whole, root.fields, [], reportNew());
  const reportRule = reportNew();
  const given = root.raw('spec');
  checkKindRules(group, kind, given, (path, reason, severity) => {
    if (severity === 'error') reportRule(path, reason);
  });
  return withoutNulls(spec, given ?? {});
}

/** A null in a map of objects, as YAML has where nothing is written, is one without fields: dropped, it would widen. */
function withoutNulls(schema: Schema, value: unknown): unknown {
  if (schema.type === 'list' && Array.isArray(value)) return value.map((item) => withoutNulls(schema.items, item));
  if (!isRecord(value)) return value;
  if (schema.type === 'map') {
    const entries = Object.entries(value).filter(([, entry]) => entry !== null || schema.entries.type === 'object');
    return Object.fromEntries(entries.map(([name, entry]) => [name, withoutNulls(schema.entries, entry ?? {})]));
  }
  if (schema.type !== 'object') return value;
  const given = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(
    given.map(([name, field]) => [name, withoutNulls(schema.fields[name] ?? { type: 'any' }, field)]),
  );
}
