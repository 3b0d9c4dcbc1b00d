/** The load balancer of a traffic policy in the form that waypoints get (facts l7-and-control 2.2). */
import { Algorithm, type HashPolicy, type LoadBalancer } from '../../proto/gen/ambit.ts';
import { durationMs, numberOf } from '../validation/value-rules.ts';
import type { FieldReader } from './field-reader.ts';

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['ROUND_ROBIN', Algorithm.ROUND_ROBIN],
  ['RANDOM', Algorithm.RANDOM],
  ['PASSTHROUGH', Algorithm.PASSTHROUGH],
]);
const DEFAULT_RING_SIZE = 1024;
const DEFAULT_MAGLEV_SIZE = 65_537;
const DEFAULT_WARMUP_PERCENT = 10;

/** `localityFailover` says what the policy wants; whether it acts depends on outlier detection. */
export function readLoadBalancer(balancer: FieldReader): LoadBalancer {
  const hash = balancer.child('consistentHash');
  const simple = balancer.string('simple') ?? '';
  const algorithm = hash.isPresent ? hashAlgorithm(hash) : (ALGORITHMS.get(simple) ?? Algorithm.LEAST_REQUEST);
  const warmup = balancer.child('warmup');
  const warms = algorithm === Algorithm.LEAST_REQUEST || algorithm === Algorithm.ROUND_ROBIN;
  const warmupMs = durationMs(warmup, 'duration') ?? durationMs(balancer, 'warmupDurationSecs') ?? 0;
  return {
    algorithm,
    hash: hash.isPresent ? readHash(hash) : undefined,
    warmupMs: warms ? warmupMs : 0,
    warmupMinimumPercent: Math.round(numberOf(warmup, 'minimumPercent') ?? DEFAULT_WARMUP_PERCENT),
    warmupAggression: numberOf(warmup, 'aggression') ?? 1,
    ...readLocality(balancer.child('localityLbSetting')),
  };
}

/** What there is without any setting: the mesh's default. */
export function defaultLoadBalancer(): LoadBalancer {
  return {
    algorithm: Algorithm.LEAST_REQUEST,
    hash: undefined,
    warmupMs: 0,
    warmupMinimumPercent: DEFAULT_WARMUP_PERCENT,
    warmupAggression: 1,
    distribute: [],
    failover: [],
    failoverPriority: [],
    localityFailover: true,
  };
}

function hashAlgorithm(hash: FieldReader): Algorithm {
  return hash.child('maglev').isPresent ? Algorithm.MAGLEV : Algorithm.RING_HASH;
}

function readHash(hash: FieldReader): HashPolicy {
  const maglev = hash.child('maglev');
  const ringSize = numberOf(hash.child('ringHash'), 'minimumRingSize') ?? numberOf(hash, 'minimumRingSize');
  return {
    key: readHashKey(hash),
    tableSize: maglev.isPresent
      ? (numberOf(maglev, 'tableSize') ?? DEFAULT_MAGLEV_SIZE)
      : ringSize || DEFAULT_RING_SIZE,
  };
}

function readHashKey(hash: FieldReader): HashPolicy['key'] {
  const header = hash.string('httpHeaderName');
  if (header !== undefined) return { $case: 'header', header: header.toLowerCase() };
  const queryParameter = hash.string('httpQueryParameterName');
  if (queryParameter !== undefined) return { $case: 'queryParameter', queryParameter };
  const cookie = hash.child('httpCookie');
  if (!cookie.isPresent) return hash.raw('useSourceIp') === true ? { $case: 'sourceIp', sourceIp: true } : undefined;
  const ttlMs = durationMs(cookie, 'ttl');
  return {
    $case: 'cookie',
    cookie: {
      name: cookie.string('name') ?? '',
      path: cookie.string('path') ?? '',
      // A part of a second must not become none, which lasts for the session.
      ttlSec: Math.ceil((ttlMs ?? 0) / 1000),
      generate: ttlMs !== undefined,
      attributes: cookie
        .children('attributes')
        .map((attribute) => ({ name: attribute.string('name') ?? '', value: attribute.string('value') ?? '' })),
    },
  };
}

function readLocality(
  setting: FieldReader,
): Pick<LoadBalancer, 'distribute' | 'failover' | 'failoverPriority' | 'localityFailover'> {
  if (setting.raw('enabled') === false) {
    return { distribute: [], failover: [], failoverPriority: [], localityFailover: false };
  }
  return {
    distribute: setting
      .children('distribute')
      .map((entry) => ({ from: entry.string('from') ?? '', to: shares(entry) })),
    failover: setting
      .children('failover')
      .map((entry) => ({ from: entry.string('from') ?? '', to: entry.string('to') ?? '' })),
    failoverPriority: setting.strings('failoverPriority'),
    localityFailover: true,
  };
}

function shares(entry: FieldReader): Map<string, number> {
  const to = entry.child('to');
  return new Map(to.names().map((name) => [name, numberOf(to, name) ?? 0]));
}
