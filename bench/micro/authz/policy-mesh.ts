/** A mesh with 10,000 AuthorizationPolicies, as people write them: what benches of policy decide over. */
import { DEFAULT_MESH_OPTIONS } from '../../../src/control/mesh-options.ts';
import { buildAuthorization } from '../../../src/control/policy-builder.ts';
import { encodeAuthorization } from '../../../src/model/feed-encode.ts';
import type { AuthorizationPolicyObject } from '../../../src/model/manifest/authorization-policy.ts';
import { readObject } from '../../../src/model/manifest/read-object.ts';
import type { AuthorizationPolicy } from '../../../src/model/policy.ts';
import { decodeAuthorization } from '../../../src/model/policy-decode.ts';
import { Authorization } from '../../../src/proto/gen/authorization.ts';

export const NAMESPACES = 500;
const POLICIES_PER_NAMESPACE = 20;
/** As many as one object may have. */
const RULES_PER_POLICY = 500;
export const MANY_RULES = 10_000;

export type Manifest = Readonly<Record<string, unknown>>;

export const principal = (namespace: number, account: number) =>
  `cluster.local/ns/team-${namespace}/sa/client-${account}`;

export function manifest(namespace: string, name: string, spec: object): Manifest {
  const metadata = { name, namespace };
  return { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec };
}

/** What ztunnel and waypoints check alike: one policy of the whole mesh, one of each namespace, the others of some pods. */
export function meshPolicies(): readonly Manifest[] {
  const blocked = { from: [{ source: { ipBlocks: ['192.0.2.0/24', '2001:db8:bad::/48'] } }] };
  const policies = [manifest('istio-system', 'blocked', { action: 'DENY', rules: [blocked] })];
  for (let namespace = 0; namespace < NAMESPACES; namespace++) {
    policies.push(manifest(`team-${namespace}`, 'policy-0', { action: 'ALLOW', rules: namespaceRules(namespace) }));
    for (let index = 1; index < POLICIES_PER_NAMESPACE; index++) {
      const selector = { matchLabels: { app: `app-${index}` } };
      const spec = index % 5 === 0 ? denySpec(index) : allowSpec(namespace, index);
      policies.push(manifest(`team-${namespace}`, `policy-${index}`, { selector, ...spec }));
    }
  }
  return policies;
}

function namespaceRules(namespace: number): readonly object[] {
  return [
    { from: [{ source: { namespaces: [`team-${namespace}`, `team-${namespace + 1}`] } }], to: ports('8080', '9090') },
    { from: [{ source: { principals: ['cluster.local/ns/monitoring/sa/*'] } }], to: ports('15020') },
  ];
}

function allowSpec(namespace: number, index: number): object {
  const callers = [0, 1, 2].map((offset) => principal((namespace + offset) % NAMESPACES, index));
  return {
    action: 'ALLOW',
    rules: [
      { from: [{ source: { principals: callers } }], to: ports('8080') },
      { from: [{ source: { namespaces: ['ingress-*'], notPrincipals: ['*/sa/default'] } }] },
      { from: [{ source: { ipBlocks: ['10.8.0.0/14'], notIpBlocks: ['10.9.0.0/16'] } }] },
    ],
  };
}

function denySpec(index: number): object {
  return {
    action: 'DENY',
    rules: [
      { from: [{ source: { namespaces: ['untrusted-*'] } }] },
      { from: [{ source: { notNamespaces: ['team-*', 'ingress-*', 'monitoring'] } }], to: ports(`${7000 + index}`) },
    ],
  };
}

function ports(...numbers: readonly string[]): readonly object[] {
  return [{ operation: { ports: numbers } }];
}

/** Ten thousand rules for one namespace, in as few policies as hold them: each allows one account of one namespace. */
export function manyRules(namespace: string, of: (rule: number) => object): readonly Manifest[] {
  const policies: Manifest[] = [];
  for (let from = 0; from < MANY_RULES; from += RULES_PER_POLICY) {
    const rules = Array.from({ length: RULES_PER_POLICY }, (_, index) => of(from + index));
    policies.push(manifest(namespace, `rules-${from}`, { action: 'ALLOW', rules }));
  }
  return policies;
}

/** Reads a manifest as the control plane does. */
export function readPolicy(written: Manifest): AuthorizationPolicyObject {
  const reading = readObject(written, () => ({ file: '', line: 0, column: 0 }));
  if (reading.kind !== 'accepted' || reading.object.kind !== 'AuthorizationPolicy')
    throw new Error(`the policy is not valid: ${JSON.stringify(reading)}`);
  return reading.object;
}

/** The policy as ztunnel reads it from its feed. */
export function forZtunnel(written: Manifest): AuthorizationPolicy {
  const policy = buildAuthorization(readPolicy(written), DEFAULT_MESH_OPTIONS);
  if (policy === undefined) throw new Error('L4 has no part in the policy');
  const decoded = decodeAuthorization(Authorization.encode(encodeAuthorization(policy)).finish());
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}
