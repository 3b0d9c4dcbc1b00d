/**
 * The traffic policies of a DestinationRule in the form that waypoints get, with defaults filled in (facts l7-and-control
 * 2.2 to 2.5). What is read here was checked before: what is wrong counts as absent.
 */
import type { ClientTls, ConnectionPool, LoadBalancer, OutlierDetection, RetryBudget } from '../../proto/gen/ambit.ts';
import { durationMs, numberOf } from '../validation/value-rules.ts';
import { readClientTls } from './client-tls.ts';
import type { FieldReader } from './field-reader.ts';
import { readLoadBalancer } from './load-balancer.ts';

/** The parts that are overridden as a whole. */
export interface PolicyBlocks {
  readonly loadBalancer: LoadBalancer | undefined;
  readonly connectionPool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTls | undefined;
}

export interface TrafficPolicySpec extends PolicyBlocks {
  /** Of the whole service or subset: its ports have none of their own. */
  readonly retryBudget: RetryBudget | undefined;
  /** By port: in place of all the blocks above. */
  readonly ports: ReadonlyMap<number, PolicyBlocks>;
}

const NEVER_MS = 2 ** 32 - 1;
const DEFAULT_5XX = 5;
const DEFAULT_LOCAL_ORIGIN = 5;
const DEFAULT_INTERVAL_MS = 10_000;
const DEFAULT_EJECTION_MS = 30_000;
const DEFAULT_EJECTION_PERCENT = 10;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_BUDGET_PERCENT = 20;
const DEFAULT_RETRY_CONCURRENCY = 3;

/** Undefined when there is none. @param namespace of the rule */
export function readTrafficPolicy(policy: FieldReader, namespace: string): TrafficPolicySpec | undefined {
  if (!policy.isPresent) return undefined;
  const ports = policy
    .children('portLevelSettings')
    .map((setting) => [numberOf(setting.child('port'), 'number') ?? 0, readBlocks(setting, namespace)] as const);
  const retryBudget = present(policy, 'retryBudget', readRetryBudget);
  return { ...readBlocks(policy, namespace), retryBudget, ports: new Map(ports) };
}

function readBlocks(policy: FieldReader, namespace: string): PolicyBlocks {
  return {
    loadBalancer: present(policy, 'loadBalancer', readLoadBalancer),
    connectionPool: present(policy, 'connectionPool', readConnectionPool),
    outlierDetection: present(policy, 'outlierDetection', readOutlierDetection),
    tls: present(policy, 'tls', (tls) => readClientTls(tls, namespace)),
  };
}

function present<T>(policy: FieldReader, name: string, read: (reader: FieldReader) => T): T | undefined {
  const reader = policy.child(name);
  return reader.isPresent ? read(reader) : undefined;
}

function readConnectionPool(pool: FieldReader): ConnectionPool {
  const tcp = pool.child('tcp');
  const http = pool.child('http');
  const limit = (reader: FieldReader, name: string) => Math.max(0, numberOf(reader, name) ?? 0);
  const tcpIdleMs = idleMs(tcp);
  return {
    maxConnections: limit(tcp, 'maxConnections'),
    connectTimeoutMs: durationMs(tcp, 'connectTimeout') ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxPendingRequests: limit(http, 'http1MaxPendingRequests'),
    maxRequests: limit(http, 'http2MaxRequests'),
    maxRequestsPerConnection: limit(http, 'maxRequestsPerConnection'),
    maxRetries: limit(http, 'maxRetries'),
    idleTimeoutMs: idleMs(http) ?? tcpIdleMs ?? 0,
    upgradeToHttp2: http.raw('h2UpgradePolicy') === 'UPGRADE',
    useClientProtocol: http.raw('useClientProtocol') === true,
    maxConnectionDurationMs: durationMs(tcp, 'maxConnectionDuration') ?? 0,
    tcpIdleTimeoutMs: tcpIdleMs ?? 0,
    maxConcurrentStreams: limit(http, 'maxConcurrentStreams'),
  };
}

function readRetryBudget(budget: FieldReader): RetryBudget {
  return {
    percent: numberOf(budget, 'percent') ?? DEFAULT_BUDGET_PERCENT,
    minConcurrency: Math.max(0, numberOf(budget, 'minRetryConcurrency') ?? DEFAULT_RETRY_CONCURRENCY),
    intervalMs: Math.min(durationMs(budget, 'budgetInterval') ?? 0, NEVER_MS),
  };
}

/** Zero turns the timeout off. */
function idleMs(reader: FieldReader): number | undefined {
  const ms = durationMs(reader, 'idleTimeout');
  return ms === undefined ? undefined : Math.min(ms || NEVER_MS, NEVER_MS);
}

function readOutlierDetection(detection: FieldReader): OutlierDetection {
  const number = (name: string) => numberOf(detection, name);
  const codes = detection.raw('outlierDetectionHttpErrorCodes');
  return {
    consecutive5xx: number('consecutive5xxErrors') ?? DEFAULT_5XX,
    // The older name, as releases took it that still had it.
    consecutiveGatewayErrors: number('consecutiveGatewayErrors') ?? number('consecutiveErrors') ?? 0,
    splitLocalOrigin: detection.raw('splitExternalLocalOriginErrors') === true,
    consecutiveLocalOrigin: number('consecutiveLocalOriginFailures') ?? DEFAULT_LOCAL_ORIGIN,
    intervalMs: durationMs(detection, 'interval') ?? DEFAULT_INTERVAL_MS,
    baseEjectionMs: durationMs(detection, 'baseEjectionTime') ?? DEFAULT_EJECTION_MS,
    maxEjectionPercent: number('maxEjectionPercent') || DEFAULT_EJECTION_PERCENT,
    minHealthPercent: number('minHealthPercent') ?? 0,
    errorCodes: Array.isArray(codes) ? codes.filter((code) => Number.isInteger(code)) : [],
  };
}
