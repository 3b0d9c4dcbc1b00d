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
import { AskedSubject } from './asked-subject.ts';
import { pathMatcher } from './path-match.ts';
import {
  anyBlock,
  anyHit,
  anyText,
  conditionPredicates,
  namespaceHit,
  type Predicate,
  principal,
  requestPrincipalHit,
  restriction,
  serviceAccountHit,
  type Test,
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
    match: (subject) => {
      const asked = new AskedSubject(subject);
      return rules.findIndex((rule) => ruleMatches(rule, action, asked));
    },
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
  asked: AskedSubject,
): boolean {
  const permissive = action === 'DENY' || action === 'CUSTOM';
  if (unknown && !permissive) return false;
  for (const clause of clauses) if (!clauseHolds(clause, asked, permissive)) return false;
  return true;
}

/** @param permissive what a question about HTTP is answered with on a connection without it */
function clauseHolds(clause: readonly Conjunction[], asked: AskedSubject, permissive: boolean): boolean {
  for (const conjunction of clause) if (conjunctionHolds(conjunction, asked, permissive)) return true;
  return false;
}

function conjunctionHolds(conjunction: Conjunction, asked: AskedSubject, permissive: boolean): boolean {
  for (const predicate of conjunction) {
    const isAnswered = !predicate.httpOnly || asked.http !== undefined;
    if (!(isAnswered ? predicate.holds(asked) : permissive)) return false;
  }
  return true;
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
  const sourceBlock = anyBlock(({ sourceIp }) => sourceIp);
  const remoteBlock = anyBlock(({ remoteIp }) => remoteIp);
  const account = anyHit(serviceAccountHit(namespace));
  return [
    ...restriction(source.principals, source.notPrincipals, false, anyText(principal)),
    ...restriction(source.namespaces, source.notNamespaces, false, anyHit(namespaceHit)),
    ...restriction(source.serviceAccounts, source.notServiceAccounts, false, account),
    ...restriction(source.ipBlocks, source.notIpBlocks, false, sourceBlock),
    ...restriction(l7.trustDomains, l7.notTrustDomains, false, anyText(trustDomain)),
    ...restriction(l7.requestPrincipals, l7.notRequestPrincipals, true, anyHit(requestPrincipalHit)),
    ...restriction(l7.remoteIpBlocks, l7.notRemoteIpBlocks, true, remoteBlock),
  ];
}

function compileOperation({ ports, notPorts, l7 }: OperationObject): Conjunction {
  const port = (wanted: number) => (asked: AskedSubject) => asked.subject.destinationPort === wanted;
  const host = anyText(({ http }) => (http === undefined ? [] : [http.authority.toLowerCase()]));
  const method = anyText(({ http }) => (http === undefined ? [] : [http.method]));
  return [
    ...restriction(ports, notPorts, false, anyHit(port)),
    ...restriction(l7.hosts.map(lower), l7.notHosts.map(lower), true, host),
    ...restriction(l7.methods, l7.notMethods, true, method),
    ...restriction(l7.paths, l7.notPaths, true, anyHit(pathHit)),
  ];
}

function pathHit(pattern: string): Test {
  const matches = pathMatcher(pattern);
  return ({ path }) => path !== undefined && matches(path);
}

function lower(text: string): string {
  return text.toLowerCase();
}
