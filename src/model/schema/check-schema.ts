/** Holds values against a schema, as an API server does with the CRD that is made of it. */
import { isRecord } from '../manifest/field-reader.ts';
import type { FieldPath } from '../manifest/manifest-problem.ts';
import type { ListSchema, MapSchema, NumberSchema, ObjectSchema, Schema, StringSchema } from './schema.ts';

type Report = (path: FieldPath, reason: string) => void;

const MAX_SHOWN_LENGTH = 60;
const patterns = new Map<string, RegExp>();

/** Reports what is of the wrong type, missing or out of bounds; fields that the schema does not have are passed over. */
export function checkSchema(schema: Schema, value: unknown, path: FieldPath, report: Report): void {
  if (value === undefined || value === null) return;
  switch (schema.type) {
    case 'any':
      return;
    case 'boolean':
      if (typeof value !== 'boolean') report(path, 'must be true or false');
      return;
    case 'integerOrString':
      if (typeof value !== 'string' && !Number.isInteger(value)) report(path, 'must be a whole number or a string');
      return;
    case 'string':
      return typeof value === 'string' ? checkText(schema, value, path, report) : report(path, 'must be a string');
    case 'integer':
    case 'number':
      return checkNumber(schema, value, path, report);
    case 'list':
      return Array.isArray(value) ? checkList(schema, value, path, report) : report(path, 'must be a list');
    case 'map':
      return isRecord(value) ? checkMap(schema, value, path, report) : report(path, 'must be an object');
    case 'object':
      return isRecord(value) ? checkObject(schema, value, path, report) : report(path, 'must be an object');
  }
}

function checkText(schema: StringSchema, value: string, path: FieldPath, report: Report): void {
  const { values, pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (values !== undefined && !values.includes(value)) {
    report(path, `must be one of ${values.join(', ')}, is "${shorten(value)}"`);
  } else if (value.length < minLength) report(path, 'must not be empty');
  else if (value.length > maxLength) report(path, `must have ${maxLength} characters at most`);
  else if (pattern !== undefined && !compiled(pattern).test(value)) {
    report(path, `"${shorten(value)}" is not of the form ${pattern}`);
  }
}

function checkNumber(schema: NumberSchema, value: unknown, path: FieldPath, report: Report): void {
  if (typeof value !== 'number' || (schema.type === 'integer' && !Number.isInteger(value))) {
    report(path, schema.type === 'integer' ? 'must be a whole number' : 'must be a number');
  } else if (schema.minimum !== undefined && value < schema.minimum) {
    report(path, `must be ${schema.minimum} or more, is ${value}`);
  } else if (schema.maximum !== undefined && value > schema.maximum) {
    report(path, `must be ${schema.maximum} or less, is ${value}`);
  }
}

function checkList(schema: ListSchema, value: readonly unknown[], path: FieldPath, report: Report): void {
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems) report(path, 'must not be an empty list');
  if (value.length > maxItems) return report(path, `has ${value.length} entries, more than ${maxItems}`);
  for (const [index, item] of value.entries()) {
    if (item === null) report([...path, index], 'must not be null');
    checkSchema(items, item, [...path, index], report);
  }
}

function checkMap(schema: MapSchema, value: Readonly<Record<string, unknown>>, path: FieldPath, report: Report): void {
  const entries = Object.entries(value);
  const { minEntries = 0, maxEntries = Number.POSITIVE_INFINITY } = schema;
  if (entries.length < minEntries) report(path, 'must not be empty');
  if (entries.length > maxEntries) return report(path, `has ${entries.length} entries, more than ${maxEntries}`);
  for (const [name, entry] of entries) checkSchema(schema.entries, entry, [...path, name], report);
}

function checkObject(
  schema: ObjectSchema,
  value: Readonly<Record<string, unknown>>,
  path: FieldPath,
  report: Report,
): void {
  const has = (name: string) => Object.hasOwn(value, name) && value[name] !== null && value[name] !== undefined;
  for (const name of schema.required ?? []) if (!has(name)) report([...path, name], 'is required');
  for (const group of schema.atMostOne ?? []) {
    const given = group.filter(has);
    if (given.length > 1) report(path, `takes only one of ${given.join(', ')}`);
  }
  for (const [name, child] of Object.entries(value)) {
    const inner = ownField(schema, name);
    if (inner !== undefined) checkSchema(inner, child, [...path, name], report);
  }
}

function ownField({ fields }: ObjectSchema, name: string): Schema | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const created = new RegExp(pattern, 'u');
  patterns.set(pattern, created);
  return created;
}

function shorten(value: string): string {
  return value.length > MAX_SHOWN_LENGTH ? `${value.slice(0, MAX_SHOWN_LENGTH)}…` : value;
}
