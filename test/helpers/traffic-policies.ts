/** Traffic policies of the feed for tests: everything at its default, but for what is given. */
import type { ConnectionPool, LoadBalancer, OutlierDetection, TrafficPolicy } from '../../src/proto/gen/ambit.ts';

export function trafficPolicy(fields: Partial<TrafficPolicy>): TrafficPolicy {
  return {
    port: 0,
    subset: '',
    loadBalancer: undefined,
    connectionPool: undefined,
    outlierDetection: undefined,
    tls: undefined,
    retryBudget: undefined,
    ...fields,
  };
}

export function pool(fields: Partial<ConnectionPool>): ConnectionPool {
  return {
    maxConnections: 0,
    connectTimeoutMs: 0,
    maxPendingRequests: 0,
    maxRequests: 0,
    maxRequestsPerConnection: 0,
    maxRetries: 0,
    idleTimeoutMs: 0,
    upgradeToHttp2: false,
    useClientProtocol: false,
    maxConnectionDurationMs: 0,
    tcpIdleTimeoutMs: 0,
    maxConcurrentStreams: 0,
    ...fields,
  };
}

export function loadBalancer(fields: Partial<LoadBalancer>): LoadBalancer {
  return {
    algorithm: 0,
    hash: undefined,
    warmupMs: 0,
    warmupMinimumPercent: 0,
    warmupAggression: 1,
    distribute: [],
    failover: [],
    failoverPriority: [],
    localityFailover: false,
    ...fields,
  };
}

export function detection(fields: Partial<OutlierDetection>): OutlierDetection {
  return {
    consecutive5xx: 5,
    consecutiveGatewayErrors: 0,
    splitLocalOrigin: false,
    consecutiveLocalOrigin: 5,
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionPercent: 10,
    minHealthPercent: 0,
    errorCodes: [],
    ...fields,
  };
}
