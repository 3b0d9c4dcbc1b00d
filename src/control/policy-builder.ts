/**
 * AuthorizationPolicy and PeerAuthentication to the L4 policies of the feed (facts ztunnel-wire 8.6, 9.1 to 9.3).
 *
 * What L4 cannot check:
 * - ALLOW: a rule with any L7 attribute is dropped; the policy stays, so what it meant to allow is denied.
 * - DENY: L7 attributes of a source or operation are dropped, the L4 rest denies more than was written; a source or
 *   operation without a rest matches nothing. An L7 condition is dropped as long as the rule has another clause.
 */

import { parseCidrs } from '../model/address.ts';
import { convertedPeerAuthenticationName, STATIC_STRICT_NAME } from '../model/fed-policy-name.ts';
import {
  type AuthorizationPolicyObject,
  type AuthorizationRuleObject,
  type ConditionObject,
  givenL7,
  type OperationObject,
  type SourceObject,
} from '../model/manifest/authorization-policy.ts';
import type { PeerAuthenticationObject } from '../model/manifest/peer-authentication.ts';
import {
  type AuthorizationPolicy,
  createPolicyMatch,
  type PolicyClause,
  type PolicyMatch,
  type PolicyRule,
  parseServiceAccountMatch,
  parseStringMatch,
} from '../model/policy.ts';
import { parsePort } from '../model/port.ts';
import type { MeshOptions } from './mesh-options.ts';

/** A match that never matches: one without any field (facts ztunnel-wire 9.1). */
const NEVER = createPolicyMatch();
const NO_IDENTITY: PolicyClause = [createPolicyMatch({ notPrincipals: [{ kind: 'presence' }] })];

/** The L4 form of a policy; undefined when L4 has no part in it. */
export function buildAuthorization(
  policy: AuthorizationPolicyObject,
  mesh: MeshOptions,
): AuthorizationPolicy | undefined {
  const { action } = policy;
  if (policy.targets !== undefined || (action !== 'ALLOW' && action !== 'DENY')) return undefined;
  if (policy.dryRun && !mesh.sendDryRunPolicies) return undefined;
  const rules: PolicyRule[] = [];
  for (const rule of policy.rules) {
    const clauses = action === 'ALLOW' ? allowClauses(rule, policy) : denyClauses(rule, policy);
    if (clauses !== undefined) rules.push(clauses);
  }
  return {
    name: policy.meta.name,
    namespace: policy.meta.namespace,
    scope: scopeOf(policy, mesh),
    action: action === 'ALLOW' ? 'Allow' : 'Deny',
    rules,
    dryRun: policy.dryRun,
  };
}

/** The attributes of a policy that L4 cannot check, for status; empty when it can check all. */
export function l7Attributes(policy: AuthorizationPolicyObject): string[] {
  const names = new Set<string>();
  for (const rule of policy.rules) {
    for (const { l7 } of [...rule.from, ...rule.to]) for (const name of givenL7(l7)) names.add(name);
    for (const { key } of rule.when) if (!isL4Condition(key)) names.add(key);
  }
  return [...names];
}

/** The policy that refuses callers without an identity. */
export function staticStrictPolicy(mesh: MeshOptions): AuthorizationPolicy {
  return denyPolicy(STATIC_STRICT_NAME, mesh.rootNamespace, [[NO_IDENTITY]]);
}

/**
 * The policy for a PeerAuthentication whose ports differ from its mode; undefined when none does.
 * @param inheritedStrict whether namespace or mesh are STRICT, for what is UNSET
 */
export function buildPeerAuthentication(
  peer: PeerAuthenticationObject,
  inheritedStrict: boolean,
): AuthorizationPolicy | undefined {
  const strict = isStrict(peer, inheritedStrict);
  const ports: number[] = [];
  for (const [port, mode] of peer.portModes) {
    if (mode !== 'UNSET' && (mode === 'STRICT') !== strict) ports.push(port);
  }
  if (ports.length === 0) return undefined;
  const rules: PolicyRule[] = strict
    ? [[NO_IDENTITY, [createPolicyMatch({ notDestinationPorts: ports })]]]
    : ports.map((port) => [NO_IDENTITY, [createPolicyMatch({ destinationPorts: [port] })]]);
  return denyPolicy(convertedPeerAuthenticationName(peer.meta.name), peer.meta.namespace, rules);
}

/** Whether the mode of a PeerAuthentication is STRICT, inherited or its own. */
export function isStrict(peer: PeerAuthenticationObject, inheritedStrict: boolean): boolean {
  return peer.mode === 'UNSET' ? inheritedStrict : peer.mode === 'STRICT';
}

function denyPolicy(name: string, namespace: string, rules: readonly PolicyRule[]): AuthorizationPolicy {
  return { name, namespace, scope: 'WorkloadSelector', action: 'Deny', rules, dryRun: false };
}

function scopeOf(policy: AuthorizationPolicyObject, mesh: MeshOptions): AuthorizationPolicy['scope'] {
  if (policy.selector !== undefined) return 'WorkloadSelector';
  return policy.meta.namespace === mesh.rootNamespace ? 'Global' : 'Namespace';
}

function allowClauses(rule: AuthorizationRuleObject, policy: AuthorizationPolicyObject): PolicyRule | undefined {
  const needsL7 =
    [...rule.from, ...rule.to].some((part) => givenL7(part.l7).length > 0) ||
    rule.when.some(({ key }) => !isL4Condition(key));
  return needsL7 ? undefined : clausesOf(rule, rule.when, policy);
}

function denyClauses(rule: AuthorizationRuleObject, policy: AuthorizationPolicyObject): PolicyRule {
  const conditions = rule.when.filter(({ key }) => isL4Condition(key));
  const clauses = clausesOf(rule, conditions, policy);
  return clauses.length === 0 && conditions.length < rule.when.length ? [[NEVER]] : clauses;
}

/** Clauses in the order of Istio: to, from, when. */
function clausesOf(
  rule: AuthorizationRuleObject,
  conditions: readonly ConditionObject[],
  policy: AuthorizationPolicyObject,
): PolicyClause[] {
  const clauses: PolicyClause[] = [];
  if (rule.to.length > 0) clauses.push(rule.to.map(operationMatch));
  if (rule.from.length > 0) clauses.push(rule.from.map((source) => sourceMatch(source, policy.meta.namespace)));
  for (const condition of conditions) clauses.push([conditionMatch(condition)]);
  return clauses;
}

function operationMatch(operation: OperationObject): PolicyMatch {
  return createPolicyMatch({ destinationPorts: operation.ports, notDestinationPorts: operation.notPorts });
}

function sourceMatch(source: SourceObject, namespace: string): PolicyMatch {
  return createPolicyMatch({
    principals: source.principals.map(parseStringMatch),
    notPrincipals: source.notPrincipals.map(parseStringMatch),
    namespaces: source.namespaces.map(parseStringMatch),
    notNamespaces: source.notNamespaces.map(parseStringMatch),
    serviceAccounts: source.serviceAccounts.map((text) => parseServiceAccountMatch(text, namespace)),
    notServiceAccounts: source.notServiceAccounts.map((text) => parseServiceAccountMatch(text, namespace)),
    sourceIps: source.ipBlocks,
    notSourceIps: source.notIpBlocks,
  });
}

function conditionMatch({ key, values, notValues }: ConditionObject): PolicyMatch {
  switch (key) {
    case 'source.ip':
      return createPolicyMatch({ sourceIps: parseCidrs(values), notSourceIps: parseCidrs(notValues) });
    case 'source.namespace':
      return createPolicyMatch({
        namespaces: values.map(parseStringMatch),
        notNamespaces: notValues.map(parseStringMatch),
      });
    case 'source.principal':
      return createPolicyMatch({
        principals: values.map(parseStringMatch),
        notPrincipals: notValues.map(parseStringMatch),
      });
    case 'destination.ip':
      return createPolicyMatch({ destinationIps: parseCidrs(values), notDestinationIps: parseCidrs(notValues) });
    case 'destination.port':
      return createPolicyMatch({ destinationPorts: ports(values), notDestinationPorts: ports(notValues) });
    default:
      return NEVER;
  }
}

function isL4Condition(key: string): boolean {
  return (
    key === 'source.ip' ||
    key === 'source.namespace' ||
    key === 'source.principal' ||
    key === 'destination.ip' ||
    key === 'destination.port'
  );
}

function ports(texts: readonly string[]): number[] {
  return texts.map(parsePort).filter((port) => port !== undefined);
}
