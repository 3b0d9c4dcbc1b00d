/**
 * L7 authorization of requests and of connections at a waypoint or gateway (facts l7-and-control 3.1).
 *
 * Invariants:
 * - Policies of all scopes are pooled: any DENY that matches refuses; without an ALLOW policy everything else is allowed;
 *   otherwise one of them has to match.
 * - What asks for HTTP on a connection without it: in ALLOW the rule never matches, otherwise the question is left out.
 * - A rule that asks for something this proxy cannot check never allows, and denies as if it were not asked for.
 * - CUSTOM policies decide nothing here: who calls has asked their provider before (`custom-policies.ts`).
 */
import type {
  AuthorizationPolicyObject,
  AuthorizationRuleObject,
  OperationObject,
  SourceObject,
} from '../model/manifest/authorization-policy.ts';
import { createPolicyTally, type DefaultDenials, type PolicyTally } from '../model/policy-tally.ts';
import { pathMatcher, pathOf } from './path-match.ts';
import {
  addressHit,
  conditionPredicates,
  namespaceHit,
  type Predicate,
  principal,
  requestPrincipalHit,
  restriction,
  serviceAccountHit,
  textHit,
  trustDomain,
} from './request-conditions.ts';
import type { RequestSubject } from './request-subject.ts';

/** All hold. */
type Conjunction = readonly Predicate[];

interface CompiledRule {
  /** Each entry is a list of which one conjunction has to hold. */
  readonly clauses: readonly (readonly Conjunction[])[];
  /** Whether it has a condition that cannot be checked here. */
  readonly unknown: boolean;
}

/** A policy ready to be asked. */
export interface RequestPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
  /** Whom a CUSTOM policy asks. */
  readonly provider: string;
  readonly dryRun: boolean;
  readonly tally: PolicyTally;
  /** The number of the first rule that matches; -1 when none does. */
  match(subject: RequestSubject): number;
}

export interface RequestDecision {
  readonly allowed: boolean;
  /** `ns[<namespace>]-policy[<name>]-rule[<number>]` of the rule that decided, `none` when none did. */
  readonly rule: string;
  /** Whose rule it is. */
  readonly policy: RequestPolicy | undefined;
}

/** Compiles a policy once, for all requests. */
export function compileRequestPolicy(policy: AuthorizationPolicyObject): RequestPolicy {
  const { action, provider, dryRun, meta } = policy;
  const rules = policy.rules.map((rule) => compileRule(rule, meta.namespace));
  return {
    namespace: meta.namespace,
    name: meta.name,
    action,
    provider,
    dryRun,
    tally: createPolicyTally(),
    match: (subject) => rules.findIndex((rule) => ruleMatches(rule, action, subject)),
  };
}

/** Decides over a request. */
export function authorizeRequest(policies: readonly RequestPolicy[], subject: RequestSubject): RequestDecision {
  let hasAllow = false;
  let allowedBy: RequestDecision | undefined;
  for (const policy of policies) {
    if (policy.dryRun || policy.action === 'AUDIT' || policy.action === 'CUSTOM') continue;
    if (policy.action === 'ALLOW') hasAllow = true;
    if (policy.action === 'ALLOW' && allowedBy !== undefined) continue;
    const rule = policy.match(subject);
    if (rule < 0) continue;
    if (policy.action === 'DENY') return { allowed: false, rule: ruleName(policy, rule), policy };
    allowedBy = { allowed: true, rule: ruleName(policy, rule), policy };
  }
  return allowedBy ?? { allowed: !hasAllow, rule: 'none', policy: undefined };
}

/** Counts a decision that is carried out. */
export function countDecision({ allowed, policy }: RequestDecision, denials: DefaultDenials): void {
  if (policy !== undefined) policy.tally.hits++;
  else if (!allowed) denials.enforced++;
}

/** How a rule is called in answers and logs. */
export function ruleName({ namespace, name }: RequestPolicy, rule: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

function ruleMatches(
  { clauses, unknown }: CompiledRule,
  action: RequestPolicy['action'],
  subject: RequestSubject,
): boolean {
  const permissive = action === 'DENY' || action === 'CUSTOM';
  if (unknown && !permissive) return false;
  const isHttp = subject.http !== undefined;
  const holds = (predicate: Predicate) => (predicate.httpOnly && !isHttp ? permissive : predicate.holds(subject));
  return clauses.every((clause) => clause.some((conjunction) => conjunction.every(holds)));
}

function compileRule({ from, to, when }: AuthorizationRuleObject, namespace: string): CompiledRule {
  const clauses: Conjunction[][] = [];
  if (from.length > 0) clauses.push(from.map((source) => compileSource(source, namespace)));
  if (to.length > 0) clauses.push(to.map(compileOperation));
  let unknown = false;
  for (const condition of when) {
    const predicates = conditionPredicates(condition, namespace);
    if (predicates === undefined) unknown = true;
    else clauses.push([predicates]);
  }
  return { clauses, unknown };
}

function compileSource(source: SourceObject, namespace: string): Conjunction {
  const { l7 } = source;
  return [
    ...restriction(source.principals, source.notPrincipals, false, textHit(principal)),
    ...restriction(source.namespaces, source.notNamespaces, false, namespaceHit),
    ...restriction(source.serviceAccounts, source.notServiceAccounts, false, serviceAccountHit(namespace)),
    ...restriction(
      source.ipBlocks,
      source.notIpBlocks,
      false,
      addressHit(({ sourceIp }) => sourceIp),
    ),
    ...restriction(l7.trustDomains, l7.notTrustDomains, false, textHit(trustDomain)),
    ...restriction(l7.requestPrincipals, l7.notRequestPrincipals, true, requestPrincipalHit),
    ...restriction(
      l7.remoteIpBlocks,
      l7.notRemoteIpBlocks,
      true,
      addressHit(({ remoteIp }) => remoteIp),
    ),
  ];
}

function compileOperation({ ports, notPorts, l7 }: OperationObject): Conjunction {
  const host = textHit(({ http }) => (http === undefined ? [] : [http.authority.toLowerCase()]));
  const method = textHit(({ http }) => (http === undefined ? [] : [http.method]));
  return [
    ...restriction(
      ports,
      notPorts,
      false,
      (port) =>
        ({ destinationPort }) =>
          destinationPort === port,
    ),
    ...restriction(l7.hosts.map(lower), l7.notHosts.map(lower), true, host),
    ...restriction(l7.methods, l7.notMethods, true, method),
    ...restriction(l7.paths, l7.notPaths, true, (pattern) => {
      const matches = pathMatcher(pattern);
      return ({ http }) => http !== undefined && matches(pathOf(http.path));
    }),
  ];
}

function lower(text: string): string {
  return text.toLowerCase();
}
