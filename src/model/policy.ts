/**
 * L4 authorization policies as the feed carries them (facts ztunnel-wire 5.6 and 9.1):
 * a policy matches when any rule does; a rule when all its clauses do; a clause when any match does; a match when all
 * its fields do.
 */
import type { Cidr } from './address.ts';

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'presence' };

export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface PolicyMatch {
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly serviceAccounts: readonly ServiceAccountMatch[];
  readonly notServiceAccounts: readonly ServiceAccountMatch[];
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly sourceIps: readonly Cidr[];
  readonly notSourceIps: readonly Cidr[];
  readonly destinationIps: readonly Cidr[];
  readonly notDestinationIps: readonly Cidr[];
  readonly destinationPorts: readonly number[];
  readonly notDestinationPorts: readonly number[];
}

export type PolicyClause = readonly PolicyMatch[];
export type PolicyRule = readonly PolicyClause[];
export type PolicyScope = 'Global' | 'Namespace' | 'WorkloadSelector';
export type PolicyAction = 'Allow' | 'Deny';

export interface AuthorizationPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: PolicyScope;
  readonly action: PolicyAction;
  readonly rules: readonly PolicyRule[];
  readonly dryRun: boolean;
}

/** The list of a field that restricts nothing: one for all, as most fields of most matches are empty. */
export const NONE: readonly never[] = [];

/** A match that restricts nothing, with the given fields set. */
export function createPolicyMatch(fields: Partial<PolicyMatch> = {}): PolicyMatch {
  return {
    namespaces: NONE,
    notNamespaces: NONE,
    serviceAccounts: NONE,
    notServiceAccounts: NONE,
    principals: NONE,
    notPrincipals: NONE,
    sourceIps: NONE,
    notSourceIps: NONE,
    destinationIps: NONE,
    notDestinationIps: NONE,
    destinationPorts: NONE,
    notDestinationPorts: NONE,
    ...fields,
  };
}

/** The key of a policy in the feed, `<namespace>/<name>`. */
export function policyKey(policy: Pick<AuthorizationPolicy, 'namespace' | 'name'>): string {
  return `${policy.namespace}/${policy.name}`;
}

/** Reads the string forms of the custom resources: `*`, `*suffix`, `prefix*`, exact (facts ztunnel-wire 9.2). */
export function parseStringMatch(text: string): StringMatch {
  if (text === '*') return { kind: 'presence' };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) };
  return { kind: 'exact', value: text };
}

/** Reads `<namespace>/<name>`, or a name in the policy's own namespace (facts l7-and-control 3.1). */
export function parseServiceAccountMatch(text: string, namespace: string): ServiceAccountMatch {
  const slash = text.indexOf('/');
  return slash < 0
    ? { namespace, serviceAccount: text }
    : { namespace: text.slice(0, slash), serviceAccount: text.slice(slash + 1) };
}
