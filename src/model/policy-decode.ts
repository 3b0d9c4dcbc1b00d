/** From `istio.security.Authorization` bytes to the model; invalid list entries are dropped (facts ztunnel-wire 9.2). */
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import * as pb from '../proto/gen/authorization.ts';
import { type Cidr, makeCidr } from './address.ts';
import {
  type AuthorizationPolicy,
  NONE,
  type PolicyAction,
  type PolicyMatch,
  type PolicyScope,
  type StringMatch,
} from './policy.ts';

const SCOPES: Readonly<Record<number, PolicyScope>> = {
  [pb.Scope.GLOBAL]: 'Global',
  [pb.Scope.NAMESPACE]: 'Namespace',
  [pb.Scope.WORKLOAD_SELECTOR]: 'WorkloadSelector',
};
const ACTIONS: Readonly<Record<number, PolicyAction>> = { [pb.Action.ALLOW]: 'Allow', [pb.Action.DENY]: 'Deny' };

/** Decodes one policy; the error is the reason to refuse it. */
export function decodeAuthorization(bytes: Uint8Array): Result<AuthorizationPolicy, string> {
  let message: pb.Authorization;
  try {
    message = pb.Authorization.decode(bytes);
  } catch (error) {
    return fail(`cannot be decoded: ${errorText(error)}`);
  }
  const scope = SCOPES[message.scope];
  const action = ACTIONS[message.action];
  if (scope === undefined) return fail(`unknown policy scope: ${message.scope}`);
  if (action === undefined) return fail(`unknown policy action: ${message.action}`);
  return ok({
    name: message.name,
    namespace: message.namespace,
    scope,
    action,
    rules: message.rules.map((rule) => rule.clauses.map((clause) => clause.matches.map(toMatch))),
    dryRun: message.dryRun,
  });
}

/**
 * What is in force in the place of a policy that `decodeAuthorization` refuses: nobody knows what it would have let
 * through, so that it denies everything where it applies, or in its namespace where that cannot be read either.
 * @param resourceName `<namespace>/<name>`
 */
export function denialInPlaceOf(resourceName: string, bytes: Uint8Array): AuthorizationPolicy {
  const slash = resourceName.indexOf('/');
  const anything = [[]];
  return {
    namespace: resourceName.slice(0, Math.max(slash, 0)),
    name: resourceName.slice(slash + 1),
    scope: readScope(bytes) ?? 'Namespace',
    action: 'Deny',
    rules: anything,
    dryRun: false,
  };
}

function readScope(bytes: Uint8Array): PolicyScope | undefined {
  try {
    return SCOPES[pb.Authorization.decode(bytes).scope];
  } catch {
    // The refusal says why.
    return undefined;
  }
}

function toMatch(message: pb.Match): PolicyMatch {
  return {
    namespaces: listOf(message.namespaces, toStringMatch),
    notNamespaces: listOf(message.notNamespaces, toStringMatch),
    serviceAccounts: listOf(message.serviceAccounts, itself),
    notServiceAccounts: listOf(message.notServiceAccounts, itself),
    principals: listOf(message.principals, toStringMatch),
    notPrincipals: listOf(message.notPrincipals, toStringMatch),
    sourceIps: listOf(message.sourceIps, toCidr),
    notSourceIps: listOf(message.notSourceIps, toCidr),
    destinationIps: listOf(message.destinationIps, toCidr),
    notDestinationIps: listOf(message.notDestinationIps, toCidr),
    destinationPorts: listOf(message.destinationPorts, toPort),
    notDestinationPorts: listOf(message.notDestinationPorts, toPort),
  };
}

function listOf<A, B>(values: readonly A[], read: (value: A) => B | readonly B[]): readonly B[] {
  return values.length === 0 ? NONE : values.flatMap(read);
}

function itself<T>(value: T): T {
  return value;
}

function toPort(port: number): number {
  return port & 0xffff;
}

function toCidr(address: pb.Address): Cidr[] {
  const cidr = makeCidr(address.address, address.length);
  return cidr === undefined ? [] : [cidr];
}

function toStringMatch({ matchType }: pb.StringMatch): StringMatch[] {
  switch (matchType?.$case) {
    case 'exact':
      return [{ kind: 'exact', value: matchType.exact }];
    case 'prefix':
      return [{ kind: 'prefix', value: matchType.prefix }];
    case 'suffix':
      return [{ kind: 'suffix', value: matchType.suffix }];
    case 'presence':
      return [{ kind: 'presence' }];
    default:
      return [];
  }
}
