/** What people change of the objects of a waypoint, from a ConfigMap (facts l7-and-control 4.2). */
import { parse } from 'yaml';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import { mergeStrategic } from '../model/strategic-merge.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The keys of the ConfigMap: one for each object. */
export type OverlayKey =
  | 'deployment'
  | 'service'
  | 'serviceAccount'
  | 'horizontalPodAutoscaler'
  | 'podDisruptionBudget';

/** The overlays of one ConfigMap. */
export interface WaypointOverlays {
  /** `ConfigMap demo/settings`, for messages. */
  readonly title: string;
  readonly byKey: ReadonlyMap<OverlayKey, Fields>;
}

const KEYS: readonly OverlayKey[] = [
  'deployment',
  'service',
  'serviceAccount',
  'horizontalPodAutoscaler',
  'podDisruptionBudget',
];
/** What an object is, and what ties it to the others, is not for overlays. */
const FIXED: readonly (readonly string[])[] = [
  ['apiVersion'],
  ['kind'],
  ['status'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'ownerReferences'],
  ['spec', 'selector'],
  ['spec', 'scaleTargetRef'],
  ['spec', 'template', 'spec', 'serviceAccountName'],
];

/** @param data of the ConfigMap; each value is YAML @returns a failure names the key */
export function readOverlays(title: string, data: unknown): Result<WaypointOverlays, string> {
  const byKey = new Map<OverlayKey, Fields>();
  for (const [name, text] of Object.entries(fieldsOf(data))) {
    const key = KEYS.find((known) => known === name);
    if (key === undefined) return fail(`${title}: ${name} is no known key, there are ${KEYS.join(', ')}`);
    const overlay = readYaml(text);
    if (!overlay.ok) return fail(`${title}: ${key}: ${overlay.error}`);
    byKey.set(key, overlay.value);
  }
  return ok({ title, byKey });
}

/** The object with an overlay in it. @returns a failure names key and field */
export function overlaid(base: Fields, key: OverlayKey, { title, byKey }: WaypointOverlays): Result<Fields, string> {
  const overlay = byKey.get(key);
  if (overlay === undefined) return ok(base);
  const merged = mergeStrategic(base, overlay);
  if (!merged.ok) return fail(`${title}: ${key}: ${merged.error.field} ${merged.error.reason}`);
  const changed = FIXED.find((path) => !sameContent(at(base, path), at(merged.value, path)));
  return changed === undefined ? merged : fail(`${title}: ${key}: ${changed.join('.')} cannot be changed`);
}

function readYaml(text: unknown): Result<Fields, string> {
  if (typeof text !== 'string') return fail('is no text');
  try {
    const value: unknown = parse(text) ?? {};
    return isRecord(value) ? ok(value) : fail('is no map');
  } catch (error) {
    // The first line says what and where; the others show the text.
    return fail(errorText(error).split('\n', 1)[0] ?? '');
  }
}

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => fieldsOf(value)[name], object);
}

function sameContent(a: unknown, b: unknown): boolean {
  if (isRecord(a) && isRecord(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => sameContent(a[name], b[name]));
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
