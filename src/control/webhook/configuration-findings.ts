/** Everything that is wrong, or odd, with one object of the mesh configuration. */
import { isRecord } from '../../model/manifest/field-reader.ts';
import { formatFieldPath } from '../../model/manifest/manifest-problem.ts';
import { readObject } from '../../model/manifest/read-object.ts';
import { checkSchema } from '../../model/schema/check-schema.ts';
import { kindSchema } from '../../model/schema/kind-schemas.ts';
import { unknownFields } from '../../model/schema/schema.ts';
import { policyWarnings } from './policy-warnings.ts';

export interface ConfigurationFindings {
  /** `unknown field "<field>"` or `<field>: <reason>`; each refuses the object. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Longer ones are cut: they quote what was given. */
const MAX_TEXT_CHARACTERS = 300;
const NOWHERE = { file: '', line: 0, column: 0 };
/** What readers say of a field that they do not know (FieldReader.onlyKnown). */
const NOT_KNOWN = 'is not a known field';

/**
 * Checks an object with the readers of the mesh and the schema of its kind. Where both object to one field, the reader
 * is quoted. Metadata and status are the API server's to check. Never throws on any JSON.
 */
export function findProblems(object: unknown): ConfigurationFindings {
  const unknown = new Set<string>();
  const byField = new Map<string, Set<string>>();
  const note = (field: string, reason: string) => {
    if (isForeign(field)) return;
    if (reason === NOT_KNOWN) unknown.add(field);
    else noteReason(byField, field, reason);
  };
  const reading = readObject(object, () => NOWHERE);
  if (reading.kind === 'refused') for (const { field, reason } of reading.problems) note(field, reason);
  const schema = isRecord(object) ? kindSchema(groupOf(object['apiVersion']), String(object['kind'])) : undefined;
  if (schema !== undefined) {
    const read = new Set(byField.keys());
    for (const field of unknownFields(schema, object)) note(field, NOT_KNOWN);
    checkSchema(schema, object, [], (path, reason) => {
      const field = formatFieldPath(path);
      if (!read.has(field)) note(field, reason);
    });
  }
  return {
    errors: problemTexts(unknown, byField),
    warnings: reading.kind === 'accepted' ? policyWarnings(reading.object) : [],
  };
}

function noteReason(byField: Map<string, Set<string>>, field: string, reason: string): void {
  const reasons = byField.get(field);
  if (reasons === undefined) byField.set(field, new Set([reason]));
  else reasons.add(reason);
}

function problemTexts(unknown: ReadonlySet<string>, byField: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const texts = [...unknown].map((field) => `unknown field "${field}"`);
  for (const [field, reasons] of byField) {
    for (const reason of reasons) texts.push(field === '' ? reason : `${field}: ${reason}`);
  }
  return texts.map((text) => (text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS - 1)}…` : text));
}

function isForeign(field: string): boolean {
  return /^(metadata|status)\b/.test(field);
}

function groupOf(apiVersion: unknown): string {
  return typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
