/** The configuration of a waypoint: environment variables, by the names that ztunnel has for them. */
import { type Environment, EnvironmentReader } from '../base/environment.ts';
import { readTunnelConfig, type TunnelConfig } from '../hbone/tunnel-config.ts';
import { WAYPOINT_ENVOY_METRICS_PORT, WAYPOINT_METRICS_PORT } from '../model/waypoint-objects.ts';

export interface WaypointConfig extends TunnelConfig {
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly instanceIp: string;
  readonly nodeName: string;
  readonly network: string;
  readonly clusterId: string;
  readonly trustDomain: string;
  /** The name of the Gateway object, which is also that of the waypoint's Service. */
  readonly gatewayName: string;
  readonly controlAddress: string;
  readonly controlRootCa: string;
  readonly controlHostname: string | undefined;
  readonly authToken: string;
  readonly secretTtlMs: number;
  readonly tunnelPort: number;
  readonly adminPort: number;
  readonly readinessPort: number;
  readonly metricsPort: number;
  /** The second one, where sidecars have their own. */
  readonly envoyMetricsPort: number;
  readonly ipv6Enabled: boolean;
  /** Whether endpoints are told who the client is (facts l7-and-control 5.4). */
  readonly includeClientIdentity: boolean;
  readonly drainDeadlineMs: number;
  /** What clients share; 0 for no limit. */
  readonly maxConnections: number;
  readonly maxRequests: number;
  readonly logLevel: string;
  readonly logFormat: 'plain' | 'json';
}

const DAY_MS = 86_400_000;

/** Reads and checks the whole configuration. Throws one AmbitError that names every problem. */
export function readWaypointConfig(environment: Environment): WaypointConfig {
  const env = new EnvironmentReader(environment);
  const port = (name: string, fallback: number) => env.integer(name, fallback, 0, 65535);
  const required = (name: string) => {
    const value = env.optional(name);
    if (value === undefined) env.refuse(`${name} is not set`);
    return value ?? '';
  };
  const config: WaypointConfig = {
    podName: required('POD_NAME'),
    podNamespace: required('POD_NAMESPACE'),
    serviceAccount: required('SERVICE_ACCOUNT'),
    instanceIp: env.text('INSTANCE_IP', '1.1.1.1'),
    nodeName: env.text('NODE_NAME', ''),
    network: env.text('NETWORK', ''),
    clusterId: env.optional('ISTIO_META_CLUSTER_ID') ?? env.text('CLUSTER_ID', 'Kubernetes'),
    trustDomain: env.text('TRUST_DOMAIN', 'cluster.local'),
    gatewayName: required('GATEWAY_NAME'),
    controlAddress: env.text('XDS_ADDRESS', 'https://istiod.istio-system.svc:15012'),
    controlRootCa: env.text('XDS_ROOT_CA', './var/run/secrets/istio/root-cert.pem'),
    controlHostname: env.optional('ALT_XDS_HOSTNAME'),
    authToken: env.text('AUTH_TOKEN', './var/run/secrets/tokens/istio-token'),
    secretTtlMs: env.durationMs('SECRET_TTL', DAY_MS),
    tunnelPort: port('INBOUND_PORT', 15008),
    adminPort: port('ADMIN_PORT', 15000),
    readinessPort: port('READINESS_PORT', 15021),
    metricsPort: port('STATS_PORT', WAYPOINT_METRICS_PORT),
    envoyMetricsPort: port('ENVOY_PROMETHEUS_PORT', WAYPOINT_ENVOY_METRICS_PORT),
    ipv6Enabled: env.flag('IPV6_ENABLED', true),
    includeClientIdentity: env.flag('XFCC_INCLUDE_CLIENT_IDENTITY', false),
    ...readTunnelConfig(env),
    drainDeadlineMs: env.durationMs('CONNECTION_TERMINATION_DEADLINE', 5000),
    maxConnections: env.integer('WAYPOINT_MAX_CONNECTIONS', 16_384, 0, 1_000_000),
    maxRequests: env.integer('WAYPOINT_MAX_REQUESTS', 16_384, 0, 1_000_000),
    logLevel: env.text('RUST_LOG', 'info'),
    logFormat: env.choice('LOG_FORMAT', 'plain', ['plain', 'json'] as const),
  };
  env.finish();
  return Object.freeze(config);
}
