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
import { parseServiceAccountMatch, parseStringMatch } from '../model/policy.ts';
import { createPolicyTally, type PolicyTally } from '../model/policy-tally.ts';
import type { AskedSubject } from './asked-subject.ts';
import { accountCaller, anyOfCallers, type Callers, namespaceCaller, principalCaller } from './caller-index.ts';
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

/** All hold. */
type Conjunction = readonly Predicate[];

interface CompiledRule {
  /** Each entry is a list of which one conjunction has to hold. */
  readonly clauses: readonly (readonly Conjunction[])[];
  /** Whether it has a condition that cannot be checked here. */
  readonly unknown: boolean;
  readonly callers: Callers;
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
  readonly rules: readonly CompiledRule[];
}

/** Matches whatever is asked. */
export const EVERYTHING: CompiledRule = { clauses: [], unknown: false, callers: undefined };

/** Compiles a policy once, for all requests. */
export function compileRequestPolicy(policy: AuthorizationPolicyObject): RequestPolicy {
  const { action, provider, dryRun, meta } = policy;
  return {
    namespace: meta.namespace,
    name: meta.name,
    action,
    provider,
    dryRun,
    tally: createPolicyTally(),
    rules: policy.rules.map((rule) => compileRule(rule, meta.namespace)),
  };
}

/** AUDIT, and what is in dry run, decide nothing. */
export function isShadow({ action, dryRun }: RequestPolicy): boolean {
  return action === 'AUDIT' || dryRun;
}

/** The number of the first rule of a policy that matches; -1 when none does. */
export function matchingRule(policy: RequestPolicy, asked: AskedSubject): number {
  return policy.rules.findIndex((rule) => ruleMatches(rule, policy.action, asked));
}

/** @param rule its number */
export function ruleHolds({ rules, action }: RequestPolicy, rule: number, asked: AskedSubject): boolean {
  const compiled = rules[rule];
  return compiled !== undefined && ruleMatches(compiled, action, asked);
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
  const callers = from.length === 0 ? undefined : anyOfCallers(from.map((source) => callersOf(source, namespace)));
  return { clauses, unknown, callers };
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

/** By what of the source says most about who it is. */
function callersOf({ principals, serviceAccounts, namespaces }: SourceObject, namespace: string): Callers {
  if (principals.length > 0 && principals.every((text) => parseStringMatch(text).kind === 'exact')) {
    return principals.map(principalCaller);
  }
  if (serviceAccounts.length > 0) {
    const accounts = serviceAccounts.map((account) => parseServiceAccountMatch(account, namespace));
    return accounts.map((account) => accountCaller(account.namespace, account.serviceAccount));
  }
  if (namespaces.length === 0 || namespaces.some((pattern) => pattern.includes('*'))) return undefined;
  return namespaces.map(namespaceCaller);
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
