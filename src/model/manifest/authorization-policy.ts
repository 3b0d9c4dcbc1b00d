/**
 * AuthorizationPolicy (security.istio.io; facts l7-and-control 3.1). An attribute that is not known refuses the object,
 * because a misspelt restriction would otherwise allow or deny what nobody asked for.
 */
import { type Cidr, parseCidr } from '../address.ts';
import { parsePort } from '../port.ts';
import { MAX_RULES, MAX_SERVICE_ACCOUNTS } from '../schema/security-kinds.ts';
import type { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { readPolicyAttachment, type TargetRef } from './target-refs.ts';

export type AuthorizationAction = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';

export interface SourceObject {
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** `name` or `namespace/name`. */
  readonly serviceAccounts: readonly string[];
  readonly notServiceAccounts: readonly string[];
  readonly ipBlocks: readonly Cidr[];
  readonly notIpBlocks: readonly Cidr[];
  /** What only an L7 proxy can check. */
  readonly l7: SourceL7;
}

export interface SourceL7 {
  readonly requestPrincipals: readonly string[];
  readonly notRequestPrincipals: readonly string[];
  readonly trustDomains: readonly string[];
  readonly notTrustDomains: readonly string[];
  readonly remoteIpBlocks: readonly Cidr[];
  readonly notRemoteIpBlocks: readonly Cidr[];
}

export interface OperationObject {
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
  /** What only an L7 proxy can check. */
  readonly l7: OperationL7;
}

export interface OperationL7 {
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
}

/** The names of the attributes that are given. */
export function givenL7(l7: SourceL7 | OperationL7): readonly string[] {
  return Object.entries(l7).flatMap(([name, values]) => (values.length > 0 ? [name] : []));
}

export interface ConditionObject {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}

export interface AuthorizationRuleObject {
  readonly from: readonly SourceObject[];
  readonly to: readonly OperationObject[];
  readonly when: readonly ConditionObject[];
}

export interface AuthorizationPolicyObject {
  readonly kind: 'AuthorizationPolicy';
  readonly meta: ObjectMeta;
  readonly selector: Labels | undefined;
  /** Set when the policy is for waypoints and gateways, not for L4. */
  readonly targets: readonly TargetRef[] | undefined;
  /** The spec as it was written, for the waypoints that read it again. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly action: AuthorizationAction;
  /** Who is asked about what a CUSTOM policy matches; empty for other actions. */
  readonly provider: string;
  readonly rules: readonly AuthorizationRuleObject[];
  readonly dryRun: boolean;
}

const ACTIONS = ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'] as const;
/** `true`: what the policy would decide is counted, and decides nothing. */
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run';
const IDENTITY = /^(?:not)?(?:request)?(?:principals|namespaces|serviceAccounts|trustDomains)$/i;
const IDENTITY_KEY = /^(?:request\.auth\.|source\.(?:principal|namespace|serviceAccount|trustDomain)$)/;
const SOURCE_L4 = [
  'principals',
  'notPrincipals',
  'namespaces',
  'notNamespaces',
  'serviceAccounts',
  'notServiceAccounts',
  'ipBlocks',
  'notIpBlocks',
];
const SOURCE_L7 = [
  'requestPrincipals',
  'notRequestPrincipals',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
  'trustDomains',
  'notTrustDomains',
];
const OPERATION_L7 = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'];
const CONDITION_KEY =
  /^(request\.headers\[.+\]|request\.auth\.(principal|audiences|presenter|claims\[.+\])|source\.(ip|namespace|principal|serviceAccount|trustDomain)|remote\.ip|destination\.(ip|port)|connection\.sni|experimental\.envoy\.filters\..+)$/;

export function readAuthorizationPolicy(meta: ObjectMeta, root: FieldReader): AuthorizationPolicyObject {
  const spec = root.child('spec');
  spec.onlyKnown(['selector', 'targetRef', 'targetRefs', 'action', 'rules', 'provider']);
  const { selector, targets } = readPolicyAttachment(spec);
  const action = spec.oneOf('action', ACTIONS) ?? 'ALLOW';
  const provider = readProvider(spec, action);
  const dryRun = meta.annotations.get(DRY_RUN_ANNOTATION) === 'true';
  if (dryRun && (action === 'CUSTOM' || action === 'AUDIT')) {
    spec.report('action', `${action} cannot be tried out by the annotation ${DRY_RUN_ANNOTATION}: ALLOW and DENY can`);
  }
  const rules = spec.children('rules');
  if (rules.length > MAX_RULES) spec.report('rules', `has ${rules.length} entries, more than ${MAX_RULES}`);
  if (rules.length === 0 && (action === 'DENY' || action === 'CUSTOM')) {
    spec.report('rules', `is required for ${action}: without rules the policy would never match`);
  }
  return {
    kind: 'AuthorizationPolicy',
    meta,
    selector,
    targets,
    written: spec.fields,
    action,
    provider,
    rules: rules.slice(0, MAX_RULES).map((rule) => readRule(rule, action)),
    dryRun,
  };
}

function readProvider(spec: FieldReader, action: AuthorizationAction): string {
  const name = spec.child('provider').string('name');
  if (action === 'CUSTOM') {
    if (name === undefined) spec.report('provider', 'is required for CUSTOM: name the one to ask');
  } else if (spec.has('provider')) spec.report('provider', 'is for CUSTOM only');
  return name ?? '';
}

function readRule(rule: FieldReader, action: AuthorizationAction): AuthorizationRuleObject {
  rule.onlyKnown(['from', 'to', 'when']);
  const sources = wrapped(rule, 'from', 'source');
  const conditions = rule.children('when');
  if (action === 'CUSTOM') refuseIdentities(sources, conditions);
  return {
    from: sources.map(readSource),
    to: wrapped(rule, 'to', 'operation').map(readOperation),
    when: conditions.map(readCondition),
  };
}

/** CUSTOM rules are matched before anybody's token is looked at, so they cannot ask for identities. */
function refuseIdentities(sources: readonly FieldReader[], conditions: readonly FieldReader[]): void {
  for (const source of sources) {
    for (const name of source.names()) if (IDENTITY.test(name)) source.report(name, 'cannot be used with CUSTOM');
  }
  for (const condition of conditions) {
    const key = condition.string('key') ?? '';
    if (IDENTITY_KEY.test(key)) condition.report('key', `"${key}" cannot be used with CUSTOM`);
  }
}

/** Entries of the form `- source: {...}`; neither the list nor an entry may be empty. */
function wrapped(rule: FieldReader, list: string, inner: string): FieldReader[] {
  const entries = rule.children(list);
  if (rule.has(list) && entries.length === 0) rule.report(list, 'must not be an empty list');
  return entries.map((entry) => {
    entry.onlyKnown([inner]);
    const reader = entry.child(inner);
    if (reader.names().length === 0) entry.report(inner, 'must not be empty: leave the list out to match everything');
    return reader;
  });
}

function readSource(source: FieldReader): SourceObject {
  source.onlyKnown([...SOURCE_L4, ...SOURCE_L7]);
  const serviceAccounts = readServiceAccounts(source, 'serviceAccounts');
  const notServiceAccounts = readServiceAccounts(source, 'notServiceAccounts');
  const others = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'].some((name) => source.has(name));
  if (others && serviceAccounts.length + notServiceAccounts.length > 0) {
    source.report('serviceAccounts', 'cannot be combined with principals or namespaces');
  }
  return {
    principals: readPatterns(source, 'principals'),
    notPrincipals: readPatterns(source, 'notPrincipals'),
    namespaces: readPatterns(source, 'namespaces'),
    notNamespaces: readPatterns(source, 'notNamespaces'),
    serviceAccounts,
    notServiceAccounts,
    ipBlocks: readCidrs(source, 'ipBlocks'),
    notIpBlocks: readCidrs(source, 'notIpBlocks'),
    l7: {
      requestPrincipals: readPatterns(source, 'requestPrincipals'),
      notRequestPrincipals: readPatterns(source, 'notRequestPrincipals'),
      trustDomains: readPatterns(source, 'trustDomains'),
      notTrustDomains: readPatterns(source, 'notTrustDomains'),
      remoteIpBlocks: readCidrs(source, 'remoteIpBlocks'),
      notRemoteIpBlocks: readCidrs(source, 'notRemoteIpBlocks'),
    },
  };
}

function readOperation(operation: FieldReader): OperationObject {
  operation.onlyKnown(['ports', 'notPorts', ...OPERATION_L7]);
  for (const name of ['paths', 'notPaths']) {
    for (const path of operation.nonEmptyStrings(name)) {
      if (!isPathPattern(path)) operation.report(name, `"${path}" is no template: {*} is one segment, {**} the rest`);
    }
  }
  return {
    ports: readPorts(operation, 'ports'),
    notPorts: readPorts(operation, 'notPorts'),
    l7: {
      hosts: readPatterns(operation, 'hosts'),
      notHosts: readPatterns(operation, 'notHosts'),
      methods: readPatterns(operation, 'methods'),
      notMethods: readPatterns(operation, 'notMethods'),
      paths: readPatterns(operation, 'paths'),
      notPaths: readPatterns(operation, 'notPaths'),
    },
  };
}

function readCondition(condition: FieldReader): ConditionObject {
  condition.onlyKnown(['key', 'values', 'notValues']);
  const key = condition.required('key');
  if (key !== '' && !CONDITION_KEY.test(key)) condition.report('key', `"${key}" is not a known attribute`);
  const values = condition.nonEmptyStrings('values');
  const notValues = condition.nonEmptyStrings('notValues');
  if (values.length + notValues.length === 0) condition.report('values', 'values or notValues are required');
  for (const text of [...values, ...notValues]) checkConditionValue(condition, key, text);
  return { key, values, notValues };
}

function checkConditionValue(condition: FieldReader, key: string, text: string): void {
  if ((key === 'source.ip' || key === 'destination.ip' || key === 'remote.ip') && parseCidr(text) === undefined) {
    condition.report('values', `"${text}" is not an IP address or CIDR block`);
  }
  if (key === 'destination.port' && parsePort(text) === undefined) {
    condition.report('values', `"${text}" is not a port from 1 to 65535`);
  }
}

/** A path, with `*` at one end, or with whole segments `{*}` and at the end `{**}` (facts l7-and-control 3.1). */
function isPathPattern(path: string): boolean {
  if (!path.includes('{*}') && !path.includes('{**}')) return true;
  const segments = path.split('/');
  const areWhole = segments.every((segment) => segment === '{*}' || segment === '{**}' || !/[{}*]/.test(segment));
  return areWhole && segments.slice(0, -1).every((segment) => segment !== '{**}');
}

/** A list that is given but empty would turn into "no restriction", so it is refused. */
function readPatterns(reader: FieldReader, name: string): string[] {
  const texts = reader.nonEmptyStrings(name);
  if (reader.has(name) && texts.length === 0) reader.report(name, 'must not be an empty list');
  return texts;
}

function readServiceAccounts(source: FieldReader, name: string): string[] {
  const accounts = readPatterns(source, name);
  if (accounts.length > MAX_SERVICE_ACCOUNTS) source.report(name, `has more than ${MAX_SERVICE_ACCOUNTS} entries`);
  for (const account of accounts) {
    if (account.split('/').length > 2 || account.includes('*') || account.startsWith('/') || account.endsWith('/')) {
      source.report(name, `"${account}" is not NAME or NAMESPACE/NAME without wildcards`);
    }
  }
  return accounts;
}

function readCidrs(source: FieldReader, name: string): Cidr[] {
  const cidrs: Cidr[] = [];
  for (const text of readPatterns(source, name)) {
    const cidr = parseCidr(text);
    if (cidr === undefined) source.report(name, `"${text}" is not an IP address or CIDR block`);
    else cidrs.push(cidr);
  }
  return cidrs;
}

function readPorts(operation: FieldReader, name: string): number[] {
  const ports: number[] = [];
  for (const text of readPatterns(operation, name)) {
    const port = parsePort(text);
    if (port === undefined) operation.report(name, `"${text}" is not a port from 1 to 65535, as a string`);
    else ports.push(port);
  }
  return ports;
}
