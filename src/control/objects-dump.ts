/**
 * `/debug/objectsz`: the objects that configure the mesh as the control plane reads them, each with what is wrong with it.
 *
 * Invariant: no Secret and no key of tokens is in it; values of headers that carry credentials are masked,
 * and what policies and routes compare them with.
 */
import { isConfidential, maskedHeaderValue, plainJson } from '../base/plain-json.ts';
import { type ManifestKind, type ManifestObject, titleOfKey } from '../model/manifest/manifest-object.ts';
import { type AnalyzedMesh, analyzeMesh, type Message } from './analyze/analyze-mesh.ts';
import type { ControlStatus } from './status.ts';

/** What people write to configure the mesh; what runs, and what is confidential, is not. */
const KINDS: readonly ManifestKind[] = [
  'Namespace',
  'Service',
  'ServiceEntry',
  'WorkloadEntry',
  'GatewayClass',
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
  'ReferenceGrant',
  'VirtualService',
  'DestinationRule',
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'Telemetry',
];

const CONDITION_VALUES: ReadonlySet<string> = new Set(['values', 'notValues']);

export interface ListedObject {
  readonly kind: string;
  /** Empty for a kind of the cluster. */
  readonly namespace: string;
  readonly name: string;
  /** `file:line:column`; empty on a cluster. */
  readonly position: string;
  /** `refused`: nothing of it is in force. `stale`: a newer version was refused, the last good one is in force. */
  readonly state: 'in force' | 'stale' | 'refused';
  readonly findings: readonly Pick<Message, 'code' | 'name' | 'level' | 'message'>[];
  /** As it is read; absent for one that is refused. */
  readonly spec?: unknown;
}

/** In the order of kinds, then of names. */
export function objectsDump(mesh: AnalyzedMesh, status: Pick<ControlStatus, 'accepted'>): ListedObject[] {
  const findings = Map.groupBy(analyzeMesh(mesh, []), ({ object }) => object);
  const entries = new Map(status.accepted.map((entry) => [entry.object, entry]));
  const listed = KINDS.flatMap((kind) => [...mesh.store.all(kind)]).map((object): ListedObject => {
    const { namespace, name } = object.meta;
    const key = `${object.kind}/${namespace}/${name}`;
    const entry = entries.get(key);
    const position = entry === undefined || entry.position.startsWith('kubernetes:') ? '' : entry.position;
    const found = take(findings, titleOfKey(key));
    const state = entry?.stale === true ? 'stale' : 'in force';
    return { kind: object.kind, namespace, name, position, state, findings: found, spec: specOf(object) };
  });
  return [...listed, ...[...findings].map(refusedObject)].sort(inOrder);
}

function take(findings: Map<string, Message[]>, title: string): ListedObject['findings'] {
  const found = findings.get(title) ?? [];
  findings.delete(title);
  return found.map(brief);
}

const brief = ({ code, name, level, message }: Message) => ({ code, name, level, message });

/** What has findings and is not in force; a file that cannot be read has no name but its own. */
function refusedObject([title, messages]: [string, readonly Message[]]): ListedObject {
  const [kind = '', path = ''] = title.split(' ');
  const slash = path.indexOf('/');
  const position = messages[0]?.position ?? '';
  const isRefused = messages.some(({ code }) => code === 'IST0106');
  return {
    kind: kind || 'File',
    namespace: slash < 0 ? '' : path.slice(0, slash),
    name: title === '' ? position.replace(/:\d+$/, '') : path.slice(slash + 1),
    position,
    state: isRefused ? 'refused' : 'in force',
    findings: messages.map(brief),
  };
}

function inOrder(a: ListedObject, b: ListedObject): number {
  const kinds: readonly string[] = KINDS;
  const byKind = kinds.indexOf(a.kind) - kinds.indexOf(b.kind);
  const [one, other] = [a, b].map(({ namespace, name }) => `${namespace}/${name}`) as [string, string];
  return byKind || (one < other ? -1 : one > other ? 1 : 0);
}

/** AuthorizationPolicies as they are written; others as they are read. */
function specOf(object: ManifestObject): unknown {
  const { kind: _kind, meta: _meta, ...fields } = object;
  const shown = object.kind === 'AuthorizationPolicy' ? object.written : fields;
  return masked('', plainJson(shown));
}

/**
 * Below a confidential name all text is masked: matches of headers say in fields of their own what they look for.
 * @param name of the nearest field that says what the value is about
 */
function masked(name: string, value: unknown): unknown {
  if (name === 'jwks') return '<redacted>';
  if (typeof value === 'string') return maskedHeaderValue(name, value);
  if (Array.isArray(value)) return value.map((one) => masked(name, one));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value);
  const aboutOf = (field: string) => (isConfidential(name) ? name : (attributeOf(value, field) ?? field));
  return Object.fromEntries(fields.map(([field, one]) => [field, masked(aboutOf(field), one)]));
}

/** What the values of a policy's condition are of; empty for the branch of a choice, whose name is none of a header. */
function attributeOf(object: object, field: string): string | undefined {
  const { key, $case } = object as { readonly key?: unknown; readonly $case?: unknown };
  if ($case === field) return '';
  return CONDITION_VALUES.has(field) && typeof key === 'string' ? key : undefined;
}
