/** DestinationRule (networking.istio.io; facts l7-and-control 2). */
import { DESTINATION_RULE_KIND } from '../schema/destination-rule-kind.ts';
import { readCheckedSpec } from './checked-spec.ts';
import { type CredentialRef, credentialRefOf } from './client-tls.ts';
import { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { readTrafficPolicy, type TrafficPolicySpec } from './traffic-policy.ts';

export interface DestinationRuleSubset {
  readonly name: string;
  readonly labels: Labels;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
}

export interface DestinationRuleObject {
  readonly kind: 'DestinationRule';
  readonly meta: ObjectMeta;
  /** As it is written: a short name, a full one, or a pattern. */
  readonly host: string;
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  readonly subsets: readonly DestinationRuleSubset[];
  readonly exportTo: readonly string[];
  /** Whether it is for some client pods only, chosen by their labels. */
  readonly selectsClients: boolean;
  /** Every Secret that it names for TLS to endpoints. */
  readonly credentials: readonly CredentialRef[];
  /** Fields that are given and that no waypoint acts on. */
  readonly unused: readonly string[];
}

const UNUSED = ['tunnel', 'proxyProtocol'];

export function readDestinationRule(meta: ObjectMeta, root: FieldReader): DestinationRuleObject {
  // What is wrong is reported by now.
  const spec = new FieldReader(readCheckedSpec(DESTINATION_RULE_KIND, root), ['spec'], () => undefined);
  const subsets = spec.children('subsets');
  return {
    kind: 'DestinationRule',
    meta,
    host: (spec.string('host') ?? '').toLowerCase(),
    trafficPolicy: readTrafficPolicy(spec.child('trafficPolicy'), meta.namespace),
    subsets: subsets.map((subset) => ({
      name: subset.string('name') ?? '',
      labels: subset.stringMap('labels'),
      trafficPolicy: readTrafficPolicy(subset.child('trafficPolicy'), meta.namespace),
    })),
    exportTo: spec.strings('exportTo'),
    selectsClients: spec.child('workloadSelector').isPresent,
    credentials: [spec, ...subsets].flatMap((holder) => credentialsOf(holder.child('trafficPolicy'))),
    unused: [...new Set([spec, ...subsets].flatMap((holder) => unusedFields(holder.child('trafficPolicy'))))],
  };
}

function credentialsOf(policy: FieldReader): CredentialRef[] {
  const tls = [policy, ...policy.children('portLevelSettings')].map((blocks) => blocks.child('tls'));
  return tls.map(credentialRefOf).filter((ref) => ref !== undefined);
}

function unusedFields(policy: FieldReader): string[] {
  const own = UNUSED.filter((name) => policy.has(name));
  const ofBlocks = [policy, ...policy.children('portLevelSettings')].flatMap((blocks) => {
    return [
      ...(blocks.child('connectionPool').child('tcp').has('tcpKeepalive') ? ['tcpKeepalive'] : []),
      ...(blocks.child('connectionPool').child('http').has('http2KeepAlive') ? ['http2KeepAlive'] : []),
    ];
  });
  return [...own, ...ofBlocks];
}
