/** All findings about a mesh, without those that somebody does not want to see. */
import type { ObjectStore } from '../../manifests/object-store.ts';
import { titleOfKey } from '../../model/manifest/manifest-object.ts';
import type { ManifestProblem, SourcePosition } from '../../model/manifest/manifest-problem.ts';
import { CODES, type Finding, type FindingCode, type FindingLevel } from './finding.ts';
import { noteFindings } from './note-findings.ts';
import { routeFindings } from './route-findings.ts';
import { selectorFindings } from './selector-findings.ts';
import { serviceFindings } from './service-findings.ts';
import { unreadObject } from './unread-objects.ts';

export interface AnalyzedMesh {
  readonly store: ObjectStore;
  readonly problems: readonly ManifestProblem[];
  /** Of the control plane, by key of the object. */
  readonly notes: ReadonlyMap<string, string>;
  /** By key; none on a cluster. */
  readonly positions: ReadonlyMap<string, SourcePosition>;
  readonly rootNamespace: string;
}

/** A finding as it is shown. */
export interface Message {
  readonly code: FindingCode;
  /** What Istio calls the code. */
  readonly name: string;
  readonly level: FindingLevel;
  /** `VirtualService shop/web`. */
  readonly object: string;
  /** `file:line`; empty on a cluster. */
  readonly position: string;
  readonly message: string;
}

const SUPPRESS = 'galley.istio.io/analyze-suppress';

/** @param suppressed `CODE`, or `CODE=KIND NAMESPACE/NAME` with `*` for anything */
export function analyzeMesh(mesh: AnalyzedMesh, suppressed: readonly string[]): Message[] {
  const { store, notes, positions, problems, rootNamespace } = mesh;
  const findings = [
    ...noteFindings(notes),
    ...routeFindings(store),
    ...selectorFindings(store, rootNamespace),
    ...serviceFindings(store),
  ].filter((finding) => isShown(store, finding));
  const unread = problems.map(unreadObject).filter((one) => one !== undefined);
  const messages = [
    ...problems.filter(({ severity }) => severity === 'error').map((one) => ofProblem(one, 'IST0106', 'Error')),
    ...unread.map((one) => ofProblem(one, 'IST0171', 'Warning')),
  ];
  for (const { code, level, key, message } of findings) {
    const position = positions.get(key);
    const place = position === undefined || position.file === '' ? '' : `${position.file}:${position.line}`;
    messages.push({ code, name: CODES[code], level, object: titleOfKey(key), position: place, message });
  }
  return messages.filter((message) => !suppressed.some((rule) => isSuppressed(message, rule))).sort(inOrder);
}

function ofProblem(
  { object, field, reason, position }: ManifestProblem,
  code: FindingCode,
  level: FindingLevel,
): Message {
  const message = field === '' ? reason : `${field}: ${reason}`;
  const place = position.line === 0 || position.file === 'kubernetes' ? '' : `${position.file}:${position.line}`;
  return { code, name: CODES[code], level, object, position: place, message };
}

/** What was made up to complete a folder is nobody's to mend; what its author waves through is no finding. */
function isShown(store: ObjectStore, { key, code }: Finding): boolean {
  const annotation = store.getByKey(key)?.meta.annotations.get(SUPPRESS);
  const waved = (annotation ?? '').split(',').map((part) => part.trim());
  return !waved.includes('*') && !waved.includes(code);
}

function isSuppressed({ code, object }: Message, rule: string): boolean {
  const [wanted = '', pattern = '*'] = rule.split('=', 2);
  if (wanted !== code) return false;
  const expression = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${expression.join('.*')}$`).test(object);
}

const LEVELS: readonly FindingLevel[] = ['Error', 'Warning', 'Info'];

function inOrder(a: Message, b: Message): number {
  const byLevel = LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level);
  return byLevel || (a.object < b.object ? -1 : a.object > b.object ? 1 : 0) || (a.code < b.code ? -1 : 1);
}
