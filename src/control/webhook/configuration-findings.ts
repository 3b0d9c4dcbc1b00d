/** Everything that is wrong, or odd, with one object of the mesh configuration. */
import { isRecord } from '../../model/manifest/field-reader.ts';
import { type FieldPath, formatFieldPath } from '../../model/manifest/manifest-problem.ts';
import { readObject } from '../../model/manifest/read-object.ts';
import { checkSchema } from '../../model/schema/check-schema.ts';
import { kindSchema } from '../../model/schema/kind-schemas.ts';
import { type Schema, unknownFields } from '../../model/schema/schema.ts';
import { checkKindRules } from '../../model/validation/kind-rules.ts';
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
 * Checks an object with the readers of the mesh, the schema of its kind and the rules of it that no schema can say.
 * Where several object to one field, the first of them is quoted. Metadata and status are the API server's to check.
 * Never throws on any JSON.
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
  const warnings = reading.kind === 'accepted' ? policyWarnings(reading.object) : [];
  if (isRecord(object)) {
    const noteNew = () => {
      const known = new Set(byField.keys());
      return (path: FieldPath, reason: string) => {
        const field = formatFieldPath(path);
        if (!known.has(field)) note(field, reason);
      };
    };
    const group = groupOf(object['apiVersion']);
    const kind = typeof object['kind'] === 'string' ? object['kind'] : '';
    checkShape(kindSchema(group, kind), object, noteNew());
    const noteError = noteNew();
    checkKindRules(group, kind, object['spec'], (path, reason, severity) => {
      if (severity === 'error') noteError(path, reason);
      else warnings.push(shortened(`${formatFieldPath(path)}: ${reason}`));
    });
  }
  return { errors: problemTexts(unknown, byField), warnings };
}

function checkShape(
  schema: Schema | undefined,
  object: Readonly<Record<string, unknown>>,
  note: (path: FieldPath, reason: string) => void,
): void {
  if (schema === undefined) return;
  for (const field of unknownFields(schema, object)) note([field], NOT_KNOWN);
  checkSchema(schema, object, [], note);
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
  return texts.map(shortened);
}

function shortened(text: string): string {
  return text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS - 1)}…` : text;
}

function isForeign(field: string): boolean {
  return /^(metadata|status)\b/.test(field);
}

function groupOf(apiVersion: unknown): string {
  return typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
