/**
 * Strategic merge of an overlay into a Kubernetes object, as far as overlays of waypoints need it (facts l7-and-control
 * 4.2): maps field by field, the lists below by a key of their entries, all other lists as a whole; null takes a field
 * away, and so does `$patch: delete` with an entry or a map.
 */
import { fail, ok, type Result } from '../base/result.ts';
import { isRecord } from './manifest/field-reader.ts';
import { type FieldPath, formatFieldPath } from './manifest/manifest-problem.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface MergeProblem {
  /** Of the overlay: `spec.template.spec.containers[0].name`. */
  readonly field: string;
  readonly reason: string;
}

/** By the name of the list: the field that tells entries apart; the first that an entry of the overlay has. */
const MERGE_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['containers', ['name']],
  ['initContainers', ['name']],
  ['env', ['name']],
  ['volumes', ['name']],
  ['volumeMounts', ['mountPath']],
  ['volumeDevices', ['devicePath']],
  ['imagePullSecrets', ['name']],
  ['secrets', ['name']],
  ['hostAliases', ['ip']],
  // Of containers, and of Services.
  ['ports', ['containerPort', 'port']],
  ['topologySpreadConstraints', ['topologyKey']],
]);
const DIRECTIVE = '$patch';
/** Names that reach the prototype of an object are no fields of Kubernetes. */
const UNSAFE: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** The object with the overlay in it. Neither is changed. */
export function mergeStrategic(base: Fields, overlay: Fields): Result<Fields, MergeProblem> {
  const merged = mergeValue(base, overlay, []);
  if (!merged.ok) return merged;
  return isRecord(merged.value) ? ok(merged.value) : fail({ field: DIRECTIVE, reason: 'the object itself stays' });
}

function mergeValue(base: unknown, overlay: unknown, path: FieldPath): Result<unknown, MergeProblem> {
  if (isRecord(overlay)) {
    if (base !== undefined && !isRecord(base)) return problem(path, `must be ${kindOf(base)}, is a map`);
    return mergeFields(base ?? {}, overlay, path);
  }
  if (base !== undefined && kindOf(base) !== kindOf(overlay) && !(isScalar(base) && isScalar(overlay))) {
    return problem(path, `must be ${kindOf(base)}, is ${kindOf(overlay)}`);
  }
  return Array.isArray(overlay) ? mergeList(Array.isArray(base) ? base : [], overlay, path) : ok(overlay);
}

function mergeFields(base: Fields, overlay: Fields, path: FieldPath): Result<unknown, MergeProblem> {
  const directive = overlay[DIRECTIVE];
  if (directive === 'delete') return ok(undefined);
  if (directive !== undefined && directive !== 'merge' && directive !== 'replace') {
    return problem([...path, DIRECTIVE], 'must be merge, replace or delete');
  }
  const merged: Record<string, unknown> = directive === 'replace' ? {} : { ...base };
  for (const [name, value] of Object.entries(overlay)) {
    if (name === DIRECTIVE) continue;
    if (name.startsWith('$') || UNSAFE.has(name)) return problem([...path, name], 'is not supported');
    const next = value === null ? ok(undefined) : mergeValue(merged[name], value, [...path, name]);
    if (!next.ok) return next;
    if (next.value === undefined) delete merged[name];
    else merged[name] = next.value;
  }
  return ok(merged);
}

/** Entries that are new come behind those that are there. */
function mergeList(
  base: readonly unknown[],
  overlay: readonly unknown[],
  path: FieldPath,
): Result<unknown, MergeProblem> {
  const keys = MERGE_KEYS.get(String(path.at(-1)));
  if (keys === undefined) return ok(overlay);
  let merged = [...base];
  for (const [index, entry] of overlay.entries()) {
    const at = [...path, index];
    if (!isRecord(entry)) return problem(at, `must be a map, is ${kindOf(entry)}`);
    const key = keys.find((name) => isScalar(entry[name]));
    if (key === undefined) {
      if (entry[DIRECTIVE] !== 'replace') return problem([...at, keys[0] ?? ''], 'is required');
      // As an entry of its own it says that the overlay is the whole list.
      merged = [];
      continue;
    }
    const same = merged.findIndex((candidate) => isRecord(candidate) && candidate[key] === entry[key]);
    const next = mergeFields(same < 0 ? {} : (merged[same] as Fields), entry, at);
    if (!next.ok) return next;
    if (next.value === undefined) merged = merged.filter((_, position) => position !== same);
    else if (same < 0) merged.push(next.value);
    else merged[same] = next.value;
  }
  return ok(merged);
}

function problem(path: FieldPath, reason: string): Result<never, MergeProblem> {
  return fail({ field: formatFieldPath(path), reason });
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'a map';
  return value === null ? 'null' : 'a single value';
}
