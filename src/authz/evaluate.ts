/**
 * L4 authorization of one connection (facts ztunnel-wire 8.4 and 9).
 *
 * Invariants:
 * - A match without any field is false; a clause without matches and a rule without clauses are true; a policy without
 *   rules never matches.
 * - Dry-run policies never change the outcome; they are only reported.
 */
import { type Cidr, cidrContains, type IpAddress } from '../model/address.ts';
import {
  type AuthorizationPolicy,
  type PolicyClause,
  type PolicyMatch,
  type PolicyRule,
  policyKey,
  type ServiceAccountMatch,
  type StringMatch,
} from '../model/policy.ts';
import { AskedConnection, type ConnectionFacts } from './asked-connection.ts';
import {
  accountCaller,
  anyOfCallers,
  CallerIndex,
  type Callers,
  namespaceCaller,
  principalCaller,
} from './caller-index.ts';
import { textMatches } from './string-match.ts';

/** What policies can see of a connection; the port is the workload's own (target) port. */
export interface AuthorizationInput extends ConnectionFacts {
  readonly destinationIp: IpAddress;
}

/** The policy is the one that decided; undefined where none matched. */
export type AuthorizationDecision<P> =
  | { readonly allowed: true; readonly policy: P | undefined }
  | { readonly allowed: false; readonly policy: P | undefined; readonly reason: string };

export interface Authorization<P extends AuthorizationPolicy> {
  readonly decision: AuthorizationDecision<P>;
  /** Policies in dry run that match. */
  readonly dryRun: readonly P[];
}

/** Whether one value of a field is that of the connection. */
type Hit<T> = (value: T, subject: AskedConnection) => boolean;

interface Entry<P> {
  readonly policy: P;
  readonly rule: PolicyRule;
}

/** What was found so far. */
interface Findings<P> {
  readonly subject: AskedConnection;
  readonly dryRun: P[];
  denied: P | undefined;
  allowed: P | undefined;
}

/** All policies that apply to a workload, ready to be asked. */
export class PolicySet<P extends AuthorizationPolicy> {
  readonly #policies: readonly P[];
  /** All rules of all policies, in their order; made when the first connection asks. */
  #entries: readonly Entry<P>[] = [];
  #index: CallerIndex | undefined;
  readonly #hasAllow: boolean;
  readonly #hasDeny: boolean;
  readonly #hasDryRun: boolean;

  constructor(policies: readonly P[]) {
    this.#policies = policies;
    this.#hasAllow = policies.some(({ action, dryRun }) => action === 'Allow' && !dryRun);
    this.#hasDeny = policies.some(({ action, dryRun }) => action === 'Deny' && !dryRun);
    this.#hasDryRun = policies.some(({ dryRun }) => dryRun);
  }

  /** Decides over a connection. */
  authorize(input: AuthorizationInput): Authorization<P> {
    if (this.#policies.length === 0) return NO_POLICY;
    this.#index ??= this.#makeIndex();
    const subject = new AskedConnection(input);
    const findings: Findings<P> = { subject, dryRun: [], denied: undefined, allowed: undefined };
    this.#index.find(subject, findings, this.#endsAt);
    const { denied, allowed, dryRun } = findings;
    return { decision: decide(denied, allowed, this.#hasAllow), dryRun };
  }

  #makeIndex(): CallerIndex {
    this.#entries = this.#policies.flatMap((policy) => policy.rules.map((rule) => ({ policy, rule })));
    return new CallerIndex(this.#entries.map(({ rule }) => callersOf(rule)));
  }

  /** Asks a rule; whether no later one can change anything. */
  readonly #endsAt = (number: number, findings: Findings<P>): boolean => {
    const entry = this.#entries[number];
    if (entry === undefined) return false;
    const { policy, rule } = entry;
    if (policy.dryRun) {
      if (findings.dryRun.at(-1) !== policy && ruleMatches(rule, findings.subject)) findings.dryRun.push(policy);
      return false;
    }
    if ((policy.action === 'Deny' ? findings.denied : findings.allowed) !== undefined) return false;
    if (!ruleMatches(rule, findings.subject)) return false;
    if (policy.action === 'Deny') findings.denied = policy;
    else findings.allowed = policy;
    return !this.#hasDryRun && (policy.action === 'Deny' || !this.#hasDeny);
  };
}

const NO_POLICY: Authorization<never> = { decision: { allowed: true, policy: undefined }, dryRun: [] };

function decide<P extends AuthorizationPolicy>(
  denied: P | undefined,
  allowed: P | undefined,
  hasAllow: boolean,
): AuthorizationDecision<P> {
  if (denied !== undefined)
    return { allowed: false, policy: denied, reason: `explicitly denied by: ${policyKey(denied)}` };
  if (allowed !== undefined) return { allowed: true, policy: allowed };
  if (hasAllow) return { allowed: false, policy: undefined, reason: 'allow policies exist, but none allowed' };
  return { allowed: true, policy: undefined };
}

/** Of the first clause that names its callers. */
function callersOf(rule: PolicyRule): Callers {
  for (const clause of rule) {
    const callers = clause.length === 0 ? undefined : anyOfCallers(clause.map(callersOfMatch));
    if (callers !== undefined) return callers;
  }
  return undefined;
}

function callersOfMatch({ principals, serviceAccounts, namespaces }: PolicyMatch): Callers {
  return (
    exactCallers(principals, principalCaller) ??
    (serviceAccounts.length === 0
      ? exactCallers(namespaces, namespaceCaller)
      : serviceAccounts.map(({ namespace, serviceAccount }) => accountCaller(namespace, serviceAccount)))
  );
}

/** Undefined where there are none, or where one is no exact text. */
function exactCallers(matches: readonly StringMatch[], keyOf: (value: string) => string): Callers {
  const keys: string[] = [];
  for (const match of matches) {
    if (match.kind !== 'exact') return undefined;
    keys.push(keyOf(match.value));
  }
  return keys.length === 0 ? undefined : keys;
}

// Plain loops from here on: a workload may have thousands of rules, and closures for each would cost more than its answer.

function ruleMatches(rule: PolicyRule, subject: AskedConnection): boolean {
  for (const clause of rule) if (!clauseMatches(clause, subject)) return false;
  return true;
}

function clauseMatches(clause: PolicyClause, subject: AskedConnection): boolean {
  for (const match of clause) if (matchHolds(match, subject)) return true;
  return clause.length === 0;
}

/** Most matches do not hold, so whether one is empty is asked last. */
function matchHolds(match: PolicyMatch, subject: AskedConnection): boolean {
  return (
    admits(match.destinationPorts, match.notDestinationPorts, isDestinationPort, subject) &&
    admits(match.principals, match.notPrincipals, isPrincipal, subject) &&
    admits(match.namespaces, match.notNamespaces, isNamespace, subject) &&
    admits(match.serviceAccounts, match.notServiceAccounts, isServiceAccount, subject) &&
    admits(match.sourceIps, match.notSourceIps, isSource, subject) &&
    admits(match.destinationIps, match.notDestinationIps, isDestination, subject) &&
    !isEmpty(match)
  );
}

/** An empty list restricts nothing; a filled positive list needs one hit, a negative list none. */
function admits<T>(positive: readonly T[], negative: readonly T[], isHit: Hit<T>, subject: AskedConnection): boolean {
  return (positive.length === 0 || hasHit(positive, isHit, subject)) && !hasHit(negative, isHit, subject);
}

function hasHit<T>(values: readonly T[], isHit: Hit<T>, subject: AskedConnection): boolean {
  for (const value of values) if (isHit(value, subject)) return true;
  return false;
}

const isPrincipal: Hit<StringMatch> = (match, { principal }) =>
  principal !== undefined && textMatches(match, principal);
const isNamespace: Hit<StringMatch> = (match, { identity }) => textMatches(match, identity?.namespace ?? '');
const isServiceAccount: Hit<ServiceAccountMatch> = (match, { identity }) =>
  match.serviceAccount === identity?.serviceAccount && match.namespace === identity.namespace;
const isSource: Hit<Cidr> = (cidr, { sourceIp }) => cidrContains(cidr, sourceIp);
const isDestination: Hit<Cidr> = (cidr, { destinationIp }) =>
  destinationIp !== undefined && cidrContains(cidr, destinationIp);
const isDestinationPort: Hit<number> = (port, { subject }) => port === subject.destinationPort;

function isEmpty(match: PolicyMatch): boolean {
  const identities =
    match.namespaces.length +
    match.notNamespaces.length +
    match.serviceAccounts.length +
    match.notServiceAccounts.length +
    match.principals.length +
    match.notPrincipals.length;
  const addresses =
    match.sourceIps.length +
    match.notSourceIps.length +
    match.destinationIps.length +
    match.notDestinationIps.length +
    match.destinationPorts.length +
    match.notDestinationPorts.length;
  return identities + addresses === 0;
}
