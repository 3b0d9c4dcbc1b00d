/** The definitions of the custom kinds that the mesh reads, written from their schemas. */
import type { KindSchema } from '../model/schema/kind-schema.ts';
import { KIND_SCHEMAS } from '../model/schema/kind-schemas.ts';
import type { ListSchema, NumberSchema, ObjectSchema, Schema, StringSchema } from '../model/schema/schema.ts';
import { PART_OF, PART_OF_LABEL } from './objects/common.ts';
import type { RenderedObject } from './render-install.ts';

type OpenApi = Readonly<Record<string, unknown>>;

/** CRDs in the order of their names. */
export function installationCrds(): readonly RenderedObject[] {
  return [...KIND_SCHEMAS].map(crdOf).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function crdOf(schema: KindSchema): RenderedObject {
  const { group, kind, plural, singular, shortNames, versions } = schema;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'ambit-crds', [PART_OF_LABEL]: PART_OF },
    },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        ...(shortNames.length === 0 ? {} : { shortNames }),
        categories: ['istio-io', group.replaceAll('.', '-')],
      },
      scope: 'Namespaced',
      versions: versions.map((name, index) => versionOf(schema, name, index === 0)),
    },
  };
}

function versionOf({ columns, spec, status }: KindSchema, name: string, storage: boolean): OpenApi {
  return {
    name,
    served: true,
    storage,
    subresources: { status: {} },
    additionalPrinterColumns: columns.map((column) => ({
      name: column.name,
      type: column.type,
      jsonPath: column.path,
      description: column.description,
    })),
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: openApiOf(spec, true), status: openApiOf(status, false) },
      },
    },
  };
}

/** @param withRules whether CEL rules are cheap here: the API server counts them as often as a list may be long */
function openApiOf(schema: Schema, withRules: boolean): OpenApi {
  switch (schema.type) {
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    case 'integerOrString':
      return { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true };
    case 'boolean':
      return { type: 'boolean' };
    case 'string':
      return stringOf(schema);
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'list':
      return listOf(schema);
    case 'map':
      return {
        type: 'object',
        ...(schema.minEntries === undefined ? {} : { minProperties: schema.minEntries }),
        ...(schema.maxEntries === undefined ? {} : { maxProperties: schema.maxEntries }),
        additionalProperties: openApiOf(schema.entries, false),
      };
    case 'object':
      return objectOf(schema, withRules);
  }
}

function stringOf({ values, pattern, minLength, maxLength, format }: StringSchema): OpenApi {
  return {
    type: 'string',
    ...(values === undefined ? {} : { enum: values }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(format === undefined ? {} : { format }),
  };
}

function numberOf({ type, minimum, maximum }: NumberSchema): OpenApi {
  return {
    type,
    ...(type === 'number' ? { format: 'double' } : {}),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
}

function listOf({ items, minItems, maxItems }: ListSchema): OpenApi {
  return {
    type: 'array',
    ...(minItems === undefined ? {} : { minItems }),
    ...(maxItems === undefined ? {} : { maxItems }),
    items: openApiOf(items, false),
  };
}

function objectOf(schema: ObjectSchema, withRules: boolean): OpenApi {
  const { fields, required, atMostOne, description, open } = schema;
  const rules = withRules ? (atMostOne ?? []).map(ruleOf) : [];
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    ...(open === true ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    ...(required === undefined ? {} : { required }),
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, openApiOf(field, withRules)])),
  };
}

function ruleOf(group: readonly string[]): OpenApi {
  const terms = group.map((name) => `(has(self.${name}) ? 1 : 0)`);
  return { rule: `${terms.join(' + ')} <= 1`, message: `takes only one of ${group.join(', ')}` };
}
