/**
 * A small language for the shape of custom resources. One description of a kind serves the API server
 * (as CRD), the admission webhook (as check for misspelt fields) and whoever wants to know which fields there are.
 */
import { isRecord } from '../manifest/field-reader.ts';
import { type FieldPath, formatFieldPath } from '../manifest/manifest-problem.ts';

export interface StringSchema {
  readonly type: 'string';
  /** A regular expression that both RE2 and ECMAScript read alike. */
  readonly pattern?: string;
  readonly values?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: 'date-time';
}

export interface NumberSchema {
  readonly type: 'integer' | 'number';
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface BooleanSchema {
  readonly type: 'boolean';
}

/** Anything: the mesh does not look inside. */
export interface AnySchema {
  readonly type: 'any';
}

export interface IntegerOrStringSchema {
  readonly type: 'integerOrString';
}

export interface ListSchema {
  readonly type: 'list';
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export interface MapSchema {
  readonly type: 'map';
  readonly entries: Schema;
  readonly minEntries?: number;
  readonly maxEntries?: number;
}

export interface ObjectSchema {
  readonly type: 'object';
  readonly fields: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Groups of fields of which one may be given at most. */
  readonly atMostOne?: readonly (readonly string[])[];
  readonly description?: string;
  /** Fields that are not listed are kept. */
  readonly open?: boolean;
}

export type Schema =
  | StringSchema
  | NumberSchema
  | BooleanSchema
  | AnySchema
  | IntegerOrStringSchema
  | ListSchema
  | MapSchema
  | ObjectSchema;

type Fields = Readonly<Record<string, Schema>>;

export const text: StringSchema = { type: 'string' };
export const nonEmptyText: StringSchema = { type: 'string', minLength: 1 };
export const boolean: BooleanSchema = { type: 'boolean' };
export const any: AnySchema = { type: 'any' };
export const integerOrString: IntegerOrStringSchema = { type: 'integerOrString' };
export const time: StringSchema = { type: 'string', format: 'date-time' };
export const integer: NumberSchema = { type: 'integer' };
export const count: NumberSchema = { type: 'integer', minimum: 0, maximum: 4_294_967_295 };
export const port: NumberSchema = { type: 'integer', minimum: 1, maximum: 65_535 };
export const number: NumberSchema = { type: 'number' };
/** Such as `10s` or `1m30s`. */
export const duration: StringSchema = {
  type: 'string',
  pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$',
};

export function between(minimum: number, maximum: number): NumberSchema {
  return { type: 'integer', minimum, maximum };
}

export function oneOf(...values: readonly string[]): StringSchema {
  return { type: 'string', values };
}

export function list(
  items: Schema,
  bounds: { readonly minItems?: number; readonly maxItems?: number } = {},
): ListSchema {
  return { type: 'list', items, ...bounds };
}

export function map(
  entries: Schema,
  bounds: { readonly minEntries?: number; readonly maxEntries?: number } = {},
): MapSchema {
  return { type: 'map', entries, ...bounds };
}

export function object(fields: Fields, more: Omit<ObjectSchema, 'type' | 'fields'> = {}): ObjectSchema {
  return { type: 'object', fields, ...more };
}

/**
 * The fields of a value that its schema does not have, as `spec.rules[0].form`; null counts as absent, as in Kubernetes.
 * Inside of what has the wrong type nothing is looked for. Never throws, and goes no deeper than the schema.
 */
export function unknownFields(schema: Schema, value: unknown): string[] {
  return unknownPaths(schema, value).map(formatFieldPath);
}

/** The same as paths. */
export function unknownPaths(schema: Schema, value: unknown): FieldPath[] {
  const found: FieldPath[] = [];
  collectUnknown(schema, value, [], found);
  return found;
}

/** Nobody reads more, and whoever wrote them all by intent shall not keep the reader busy. */
const MAX_UNKNOWN = 100;

function collectUnknown(schema: Schema, value: unknown, path: FieldPath, found: FieldPath[]): void {
  if (found.length >= MAX_UNKNOWN) return;
  if (schema.type === 'list' && Array.isArray(value)) {
    for (const [index, item] of value.entries()) collectUnknown(schema.items, item, [...path, index], found);
    return;
  }
  if ((schema.type !== 'object' && schema.type !== 'map') || !isRecord(value)) return;
  for (const [name, child] of Object.entries(value)) {
    const inner = schema.type === 'map' ? schema.entries : fieldOf(schema, name);
    if (inner !== undefined) collectUnknown(inner, child, [...path, name], found);
    else if (schema.type === 'object' && schema.open !== true && child !== null) {
      if (found.length >= MAX_UNKNOWN) return;
      found.push([...path, name]);
    }
  }
}

function fieldOf({ fields }: ObjectSchema, name: string): Schema | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
