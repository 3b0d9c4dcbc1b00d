/**
 * The Secrets that DestinationRules name, for the waypoints that may have them (facts l7-and-control 2.5).
 *
 * Invariants:
 * - A Secret goes to waypoints of its own namespace only, and only what a rule that holds for them names.
 * - Who writes a rule decides about Secrets of his own namespace: rules of other namespaces need a ReferenceGrant where
 *   the Secret is. Those of the root namespace speak for the whole mesh.
 * - Nothing is looked up that no rule names.
 */
import type { CredentialRef } from '../../../model/manifest/client-tls.ts';
import type { DestinationRuleObject } from '../../../model/manifest/destination-rule.ts';
import { isWaypoint } from '../../../model/manifest/gateway.ts';
import { isObjectName } from '../../../model/manifest/object-meta.ts';
import { credentialName } from '../../../model/waypoint-feed.ts';
import { Credential } from '../../../proto/gen/ambit.ts';
import type { BuildContext } from '../../build-context.ts';
import { isExportedTo } from '../export-visibility.ts';
import { credentialOfSecret } from './credential-of-secret.ts';

export interface WaypointCredentials {
  /** By namespace of the waypoints, then by name: encoded. */
  readonly byNamespace: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  /** `<namespace>/<name>` of every Secret that was looked for. */
  readonly wanted: ReadonlySet<string>;
}

const RULE_GROUP = 'networking.istio.io';

/** Those of all rules. */
export function waypointCredentials(context: BuildContext): WaypointCredentials {
  const byNamespace = new Map<string, Map<string, Uint8Array>>();
  const wanted = new Set<string>();
  const withWaypoints = waypointNamespaces(context);
  for (const rule of context.destinationRules.withCredentials()) {
    for (const ref of rule.credentials) {
      for (const namespace of permittedNamespaces(context, withWaypoints, rule, ref)) {
        const held = byNamespace.get(namespace) ?? new Map<string, Uint8Array>();
        byNamespace.set(namespace, held);
        const name = credentialName(ref.shows, rule.meta.namespace, ref.secret);
        if (held.has(name)) continue;
        held.set(name, Credential.encode(credentialIn(context, namespace, ref, wanted)).finish());
      }
    }
  }
  return { byNamespace, wanted };
}

/** What keeps the Secrets of a rule from being used. */
export function credentialNotes(context: BuildContext, rule: DestinationRuleObject): string[] {
  if (rule.credentials.length === 0) return [];
  const withWaypoints = waypointNamespaces(context);
  const notes = new Set<string>();
  for (const ref of rule.credentials) {
    const namespaces = permittedNamespaces(context, withWaypoints, rule, ref);
    if (namespaces.length === 0) {
      notes.add(
        `${ref.field}: no waypoint gets Secret "${ref.secret}": namespace ${rule.meta.namespace} has none, and no ` +
          'ReferenceGrant of another one permits it',
      );
    }
    for (const namespace of namespaces) {
      const { problem, caProblem } = credentialIn(context, namespace, ref, new Set());
      const missing = problem || (ref.checks ? caProblem : '');
      if (missing !== '') notes.add(`${ref.field}: ${missing}`);
    }
  }
  return [...notes];
}

function credentialIn(
  { store }: BuildContext,
  namespace: string,
  { secret, shows }: CredentialRef,
  wanted: Set<string>,
): Credential {
  const find = (name: string) => {
    if (!isObjectName(name)) return undefined;
    wanted.add(`${namespace}/${name}`);
    return store.get('Secret', namespace, name);
  };
  return credentialOfSecret({ find }, secret, `Secret ${namespace}/${secret}`, shows);
}

function waypointNamespaces({ store }: BuildContext): ReadonlySet<string> {
  const namespaces = new Set<string>();
  for (const gateway of store.all('Gateway')) if (isWaypoint(gateway)) namespaces.add(gateway.meta.namespace);
  return namespaces;
}

/** Where waypoints are that get the Secret of a rule, in order. */
function permittedNamespaces(
  context: BuildContext,
  withWaypoints: ReadonlySet<string>,
  rule: DestinationRuleObject,
  { secret }: CredentialRef,
): string[] {
  const own = rule.meta.namespace;
  const isRoot = own === context.mesh.rootNamespace;
  if (rule.selectsClients) return [];
  return [...withWaypoints]
    .filter((namespace) => namespace === own || isRoot || isGranted(context, namespace, own, secret))
    .filter((namespace) => namespace === own || isExportedTo(rule.exportTo, own, namespace))
    .sort();
}

function isGranted({ store }: BuildContext, namespace: string, ruleNamespace: string, secret: string): boolean {
  for (const { from, to } of store.inNamespace('ReferenceGrant', namespace)) {
    const isFrom = from.some(
      ({ group, kind, namespace: of }) => group === RULE_GROUP && kind === 'DestinationRule' && of === ruleNamespace,
    );
    if (!isFrom) continue;
    if (to.some(({ group, kind, name = secret }) => group === '' && kind === 'Secret' && name === secret)) return true;
  }
  return false;
}
