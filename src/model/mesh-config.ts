/** MeshConfig, as far as it is used: the text of key `mesh` in ConfigMap `istio[-revision]` (facts l7-and-control 6.5). */
import { parse } from 'yaml';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type ExternalAuthorizer, readExternalAuthorizers } from './extension-provider.ts';
import { FieldReader, isRecord } from './manifest/field-reader.ts';
import { formatFieldPath } from './manifest/manifest-problem.ts';
import { isNamespaceName } from './manifest/object-meta.ts';
import type { LabelRequirement, NamespaceSelector } from './namespace-selection.ts';
import { type MeshTelemetryConfig, NO_TELEMETRY_CONFIG, readTelemetryConfig } from './telemetry-config.ts';

export interface MeshConfig {
  readonly trustDomain?: string;
  readonly rootNamespace?: string;
  /** Which namespaces are looked at; empty: all. */
  readonly discoverySelectors: readonly NamespaceSelector[];
  /** Whom waypoints can ask about requests. */
  readonly authorizers: readonly ExternalAuthorizer[];
  /** How waypoints trace and log requests. */
  readonly telemetry: MeshTelemetryConfig;
}

export const NO_MESH_CONFIG: MeshConfig = {
  discoverySelectors: [],
  authorizers: [],
  telemetry: NO_TELEMETRY_CONFIG,
};
const TRUST_DOMAIN = /^[a-z0-9]([-a-z0-9._]{0,251}[a-z0-9])?$/i;
const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

type Fields = Readonly<Record<string, unknown>>;

/** Reads the text. Fields that mean nothing here are left alone. @returns a reason when it cannot be used */
export function parseMeshConfig(text: string): Result<MeshConfig, string> {
  let root: unknown;
  try {
    root = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    return fail(`it is not YAML: ${errorText(error)}`);
  }
  if (root === null || root === undefined) return ok(NO_MESH_CONFIG);
  if (!isRecord(root)) return fail('it is no object');
  const { trustDomain, rootNamespace, discoverySelectors = [] } = root;
  if (trustDomain !== undefined && (typeof trustDomain !== 'string' || !TRUST_DOMAIN.test(trustDomain))) {
    return fail('trustDomain is not a domain name');
  }
  if (rootNamespace !== undefined && (typeof rootNamespace !== 'string' || !isNamespaceName(rootNamespace))) {
    return fail('rootNamespace is not the name of a namespace');
  }
  if (!Array.isArray(discoverySelectors)) return fail('discoverySelectors is no list');
  const selectors: NamespaceSelector[] = [];
  for (const item of discoverySelectors as readonly unknown[]) {
    const selector = isRecord(item) ? readSelector(item) : undefined;
    if (selector === undefined) return fail('discoverySelectors has an entry that is no label selector');
    selectors.push(selector);
  }
  const problems: string[] = [];
  const reader = new FieldReader(root, [], (path, reason) => problems.push(`${formatFieldPath(path)} ${reason}`));
  const authorizers = readExternalAuthorizers(reader);
  const telemetry = readTelemetryConfig(reader);
  if (problems.length > 0) return fail(problems.join('; '));
  return ok({
    discoverySelectors: selectors,
    authorizers,
    telemetry,
    ...(trustDomain === undefined ? {} : { trustDomain }),
    ...(rootNamespace === undefined ? {} : { rootNamespace }),
  });
}

function readSelector(fields: Fields): NamespaceSelector | undefined {
  const { matchLabels = {}, matchExpressions = [] } = fields;
  if (!isRecord(matchLabels) || !Array.isArray(matchExpressions)) return undefined;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(matchLabels)) {
    if (typeof value !== 'string') return undefined;
    requirements.push({ key, operator: 'In', values: [value] });
  }
  for (const item of matchExpressions as readonly unknown[]) {
    const requirement = isRecord(item) ? readRequirement(item) : undefined;
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  return requirements;
}

function readRequirement({ key, operator, values = [] }: Fields): LabelRequirement | undefined {
  const known = OPERATORS.find((candidate) => candidate === operator);
  if (typeof key !== 'string' || known === undefined || !Array.isArray(values)) return undefined;
  const texts = (values as readonly unknown[]).filter((value) => typeof value === 'string');
  return texts.length === values.length ? { key, operator: known, values: texts } : undefined;
}
