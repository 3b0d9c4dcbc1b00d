/** Values made of schemas: every field is given, with something that the schema takes. */
import type { Schema, StringSchema } from '../../src/model/schema/schema.ts';

/** The key of all entries of maps; a port number, because some maps are by port. */
export const SAMPLE_KEY = '8080';

/** A value with every field of the schema, also with those that exclude each other. */
export function maximalSample(schema: Schema): unknown {
  switch (schema.type) {
    case 'any':
      return {};
    case 'boolean':
      return true;
    case 'integerOrString':
      return 1;
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'string':
      return sampleText(schema);
    case 'list':
      return [maximalSample(schema.items)];
    case 'map':
      return { [SAMPLE_KEY]: maximalSample(schema.entries) };
    case 'object':
      return Object.fromEntries(Object.entries(schema.fields).map(([name, field]) => [name, maximalSample(field)]));
  }
}

function sampleText({ values, pattern, format }: StringSchema): string {
  if (values?.[0] !== undefined) return values[0];
  if (pattern !== undefined) return '1s';
  return format === undefined ? 'x' : '2024-01-01T00:00:00Z';
}
