/** DestinationRule (networking.istio.io; facts l7-and-control 2). */
import { DESTINATION_RULE_KIND } from '../schema/destination-rule-kind.ts';
import { readCheckedSpec } from './checked-spec.ts';
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
  /** Fields that are given and that no waypoint acts on. */
  readonly unused: readonly string[];
}

const UNUSED = ['tunnel', 'proxyProtocol'];
const UNUSED_TLS = ['credentialName', 'clientCertificate', 'caCertificates', 'caCrl'];

export function readDestinationRule(meta: ObjectMeta, root: FieldReader): DestinationRuleObject {
  // What is wrong is reported by now.
  const spec = new FieldReader(readCheckedSpec(DESTINATION_RULE_KIND, root), ['spec'], () => undefined);
  const subsets = spec.children('subsets');
  return {
    kind: 'DestinationRule',
    meta,
    host: (spec.string('host') ?? '').toLowerCase(),
    trafficPolicy: readTrafficPolicy(spec.child('trafficPolicy')),
    subsets: subsets.map((subset) => ({
      name: subset.string('name') ?? '',
      labels: subset.stringMap('labels'),
      trafficPolicy: readTrafficPolicy(subset.child('trafficPolicy')),
    })),
    exportTo: spec.strings('exportTo'),
    selectsClients: spec.child('workloadSelector').isPresent,
    unused: [...new Set([spec, ...subsets].flatMap((holder) => unusedFields(holder.child('trafficPolicy'))))],
  };
}

function unusedFields(policy: FieldReader): string[] {
  const own = UNUSED.filter((name) => policy.has(name));
  const ofBlocks = [policy, ...policy.children('portLevelSettings')].flatMap((blocks) => {
    const tls = blocks.child('tls');
    const originates = tls.raw('mode') === 'SIMPLE' || tls.raw('mode') === 'MUTUAL';
    return [
      ...UNUSED_TLS.filter((name) => originates && tls.has(name)).map((name) => `tls.${name}`),
      ...(blocks.child('connectionPool').child('tcp').has('tcpKeepalive') ? ['tcpKeepalive'] : []),
      ...(blocks.child('connectionPool').child('http').has('http2KeepAlive') ? ['http2KeepAlive'] : []),
    ];
  });
  return [...own, ...ofBlocks];
}
