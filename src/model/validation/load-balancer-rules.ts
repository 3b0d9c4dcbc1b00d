/** How requests are spread over the endpoints of a service (facts l7-and-control 2.2, 2.6). */

import { MAX_MAGLEV_SIZE, MAX_RING_SIZE } from '../hash-table-sizes.ts';
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkLocalitySettings } from './locality-rules.ts';
import { checkDuration, checkPercent, headerNameProblem, numberOf } from './value-rules.ts';

/** A table of Maglev is smaller than this. */
const MAX_MAGLEV_TABLE = 5_000_011;
const HASH_KEYS = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'];
const WITH_WARMUP = ['UNSPECIFIED', 'ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN'];

/** @param ejects whether failing endpoints are taken out, which failover between localities needs */
export function checkLoadBalancer(balancer: FieldReader, ejects: boolean, warn: ReportProblem): void {
  checkConsistentHash(balancer.child('consistentHash'), warn);
  checkLocalitySettings(balancer.child('localityLbSetting'), ejects, warn);
  checkDuration(balancer, 'warmupDurationSecs');
  const warmup = balancer.child('warmup');
  checkDuration(warmup, 'duration');
  checkPercent(warmup, 'minimumPercent');
  if (balancer.raw('simple') === 'LEAST_CONN') {
    warn([...balancer.path, 'simple'], 'LEAST_CONN is deprecated: use LEAST_REQUEST');
  }
  if (balancer.has('warmupDurationSecs')) {
    warn([...balancer.path, 'warmupDurationSecs'], 'is deprecated: use warmup.duration');
  }
  const simple = balancer.string('simple') ?? 'UNSPECIFIED';
  const canWarmUp = !balancer.has('consistentHash') && WITH_WARMUP.includes(simple);
  if (warmup.isPresent && !canWarmUp) warn(warmup.path, 'has an effect with ROUND_ROBIN and LEAST_REQUEST only');
}

function checkConsistentHash(hash: FieldReader, warn: ReportProblem): void {
  if (!hash.isPresent) return;
  if (!HASH_KEYS.some((name) => hash.has(name))) warn(hash.path, `has no key to hash: one of ${HASH_KEYS.join(', ')}`);
  const header = hash.string('httpHeaderName');
  const problem = header === undefined ? undefined : headerNameProblem(header);
  if (problem !== undefined) hash.report('httpHeaderName', problem);
  if (hash.raw('httpQueryParameterName') === '') hash.report('httpQueryParameterName', 'must not be empty');
  const cookie = hash.child('httpCookie');
  if (cookie.raw('name') === '') cookie.report('name', 'must not be empty');
  checkDuration(cookie, 'ttl', 'zero');
  if (hash.has('minimumRingSize')) {
    warn([...hash.path, 'minimumRingSize'], 'is deprecated: use ringHash.minimumRingSize');
  }
  for (const ring of [hash, hash.child('ringHash')]) {
    if ((numberOf(ring, 'minimumRingSize') ?? 0) > MAX_RING_SIZE) {
      warn([...ring.path, 'minimumRingSize'], `counts as ${MAX_RING_SIZE}, the largest ring of a waypoint`);
    }
  }
  const size = numberOf(hash.child('maglev'), 'tableSize');
  if (size !== undefined && (size >= MAX_MAGLEV_TABLE || !isPrime(size))) {
    hash.child('maglev').report('tableSize', `must be a prime number below ${MAX_MAGLEV_TABLE}, is ${size}`);
  } else if (size !== undefined && size > MAX_MAGLEV_SIZE) {
    warn([...hash.path, 'maglev', 'tableSize'], `counts as ${MAX_MAGLEV_SIZE}, the largest table of a waypoint`);
  }
}

/** @param value below the largest table, so that the loop is short */
function isPrime(value: number): boolean {
  if (value < 2 || !Number.isInteger(value)) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}
