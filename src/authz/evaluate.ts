/**
 * L4 authorization of one connection (facts ztunnel-wire 8.4 and 9).
 *
 * Invariants:
 * - A match without any field is false; a clause without matches and a rule without clauses are true; a policy without
 *   rules never matches.
 * - Dry-run policies never change the outcome; they are only reported.
 */
import { type Cidr, cidrContains, type IpAddress, ipToBytes } from '../model/address.ts';
import {
  type AuthorizationPolicy,
  type PolicyClause,
  type PolicyMatch,
  policyKey,
  type ServiceAccountMatch,
} from '../model/policy.ts';
import { type Identity, principalOf, spiffeId } from '../model/spiffe.ts';
import { textMatches } from './string-match.ts';

/** What policies can see of a connection. */
export interface AuthorizationInput {
  /** The peer's verified identity; undefined for plaintext. */
  readonly identity: Identity | undefined;
  readonly sourceIp: IpAddress;
  readonly destinationIp: IpAddress;
  /** The workload's own (target) port. */
  readonly destinationPort: number;
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

/** The connection in the forms that fields compare, made once per evaluation. */
interface Subject {
  readonly principal: string | undefined;
  readonly namespace: string;
  readonly serviceAccount: string | undefined;
  readonly sourceIp: Uint8Array;
  readonly destinationIp: Uint8Array;
  readonly destinationPort: number;
}

const NO_DRY_RUN: readonly never[] = [];

/** Decides over all policies that apply to the destination workload. */
export function authorize<P extends AuthorizationPolicy>(
  policies: readonly P[],
  input: AuthorizationInput,
): Authorization<P> {
  if (policies.length === 0) return { decision: { allowed: true, policy: undefined }, dryRun: NO_DRY_RUN };
  const subject = toSubject(input);
  const dryRun: P[] = [];
  let denied: P | undefined;
  let allowed: P | undefined;
  let hasAllow = false;
  for (const policy of policies) {
    if (!policy.dryRun && policy.action === 'Allow') hasAllow = true;
    if (!policyMatches(policy, subject)) continue;
    if (policy.dryRun) dryRun.push(policy);
    else if (policy.action === 'Deny') denied ??= policy;
    else allowed ??= policy;
  }
  return { decision: decide(denied, allowed, hasAllow), dryRun };
}

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

function toSubject(input: AuthorizationInput): Subject {
  const { identity } = input;
  return {
    principal: identity && principalOf(spiffeId(identity)),
    namespace: identity?.namespace ?? '',
    serviceAccount: identity?.serviceAccount,
    sourceIp: ipToBytes(input.sourceIp),
    destinationIp: ipToBytes(input.destinationIp),
    destinationPort: input.destinationPort,
  };
}

function policyMatches(policy: AuthorizationPolicy, subject: Subject): boolean {
  return policy.rules.some((rule) => rule.every((clause) => clauseMatches(clause, subject)));
}

function clauseMatches(clause: PolicyClause, subject: Subject): boolean {
  return clause.length === 0 || clause.some((match) => matchHolds(match, subject));
}

function matchHolds(match: PolicyMatch, subject: Subject): boolean {
  return !isEmpty(match) && identityHolds(match, subject) && addressHolds(match, subject);
}

function isEmpty(match: PolicyMatch): boolean {
  return Object.values(match).every((values: readonly unknown[]) => values.length === 0);
}

function identityHolds(match: PolicyMatch, subject: Subject): boolean {
  const { principal, namespace } = subject;
  return (
    admits(
      match.principals,
      match.notPrincipals,
      (value) => principal !== undefined && textMatches(value, principal),
    ) &&
    admits(match.namespaces, match.notNamespaces, (value) => textMatches(value, namespace)) &&
    admits(match.serviceAccounts, match.notServiceAccounts, (value) => isServiceAccount(value, subject))
  );
}

function addressHolds(match: PolicyMatch, subject: Subject): boolean {
  const isSource = (cidr: Cidr) => cidrContains(cidr, subject.sourceIp);
  const isDestination = (cidr: Cidr) => cidrContains(cidr, subject.destinationIp);
  const isPort = (port: number) => port === subject.destinationPort;
  return (
    admits(match.sourceIps, match.notSourceIps, isSource) &&
    admits(match.destinationIps, match.notDestinationIps, isDestination) &&
    admits(match.destinationPorts, match.notDestinationPorts, isPort)
  );
}

/** An empty list restricts nothing; a filled positive list needs one hit, a negative list none. */
function admits<T>(positive: readonly T[], negative: readonly T[], hit: (value: T) => boolean): boolean {
  return (positive.length === 0 || positive.some(hit)) && !negative.some(hit);
}

function isServiceAccount(match: ServiceAccountMatch, subject: Subject): boolean {
  return match.serviceAccount === subject.serviceAccount && match.namespace === subject.namespace;
}
