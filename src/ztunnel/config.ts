/**
 * What ztunnel reads from its environment (facts ztunnel-wire 13), parsed once into a frozen object.
 * Precedence: the mesh file's `defaultConfig` < `PROXY_CONFIG` < the environment; `ISTIO_META_*` sets proxy metadata.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { type Environment, EnvironmentReader } from '../base/environment.ts';
import { errorText } from '../base/errors.ts';
import { readTunnelConfig, type TunnelConfig } from '../hbone/tunnel-config.ts';

/** The workload of dedicated mode. */
export interface DedicatedWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
}

export interface KeepAliveConfig {
  readonly enabled: boolean;
  readonly idleMs: number;
  readonly intervalMs: number;
  readonly probes: number;
  readonly userTimeoutEnabled: boolean;
}

export interface ZtunnelConfig extends TunnelConfig {
  readonly proxyEnabled: boolean;
  readonly mode: 'shared' | 'dedicated';
  readonly dedicatedWorkload: DedicatedWorkload | undefined;
  readonly nodeName: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly instanceIp: string;
  readonly network: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  /** `https://host:port`; empty disables. */
  readonly xdsAddress: string;
  readonly caAddress: string;
  readonly xdsRootCa: string;
  readonly caRootCa: string;
  readonly altXdsHostname: string | undefined;
  readonly altCaHostname: string | undefined;
  readonly authToken: string;
  readonly xdsHeaders: ReadonlyMap<string, string>;
  readonly caHeaders: ReadonlyMap<string, string>;
  readonly proxyMetadata: ReadonlyMap<string, unknown>;
  readonly xdsOnDemand: boolean;
  readonly localXds: { readonly path: string } | { readonly text: string } | undefined;
  readonly fakeCa: boolean;
  readonly secretTtlMs: number;
  readonly zdsSocketPath: string;
  readonly reusePort: boolean;
  readonly packetMark: number | undefined;
  readonly originalSource: 'required' | 'best-effort' | 'off';
  readonly ipv6Enabled: boolean;
  readonly localhostAppTunnel: boolean;
  readonly socks5Enabled: boolean;
  readonly dataThreads: number;
  /** Control and data in one thread: half the memory, and a large push of the control plane delays bytes. */
  readonly singleThread: boolean;
  readonly keepAlive: KeepAliveConfig;
  readonly drainDeadlineMs: number;
  readonly crlPath: string | undefined;
  readonly responseBaggage: boolean;
  readonly preferredServiceNamespace: string | undefined;
  readonly tls12Enabled: boolean;
  readonly compliancePolicy: '' | 'pqc' | 'fips-140-2';
  readonly policyInfoLogging: boolean;
  /** What a policy that selects a workload and has not arrived means. Istio's proxy allows; ours denies unless told. */
  readonly unknownPolicy: 'deny' | 'allow';
  readonly dnsCapture: boolean;
  readonly dnsPort: number;
  /** The resolv.conf whose name servers are asked for names outside the mesh. */
  readonly resolvConfPath: string;
  readonly adminPort: number;
  readonly metricsPort: number;
  readonly readinessPort: number;
  readonly inboundPort: number;
  readonly inboundPlaintextPort: number;
  readonly outboundPort: number;
  readonly socks5Port: number;
  readonly logLevel: string;
  readonly logFormat: 'plain' | 'json';
}

/** The kernel takes 32,767 seconds (tcp(7)). */
const MAX_KEEP_ALIVE_HOURS = 9;
const HOUR_MS = 3_600_000;
/** Environment variables that `PROXY_CONFIG` and the mesh file can set by another name (facts ztunnel-wire 13). */
const PROXY_CONFIG_KEYS: Readonly<Record<string, string>> = {
  discoveryAddress: 'XDS_ADDRESS',
  proxyAdminPort: 'ADMIN_PORT',
  statsPort: 'STATS_PORT',
  concurrency: 'ZTUNNEL_WORKER_THREADS',
};

/** Reads and checks the whole configuration. Throws one AmbitError that names every problem. */
export function readZtunnelConfig(environment: Environment): ZtunnelConfig {
  const overlay = proxyConfigOverlay(environment);
  const env = new EnvironmentReader({ ...overlay.variables, ...environment });
  for (const problem of overlay.problems) env.refuse(problem);
  const mode = env.choice('PROXY_MODE', 'shared', ['shared', 'dedicated'] as const);
  const config: ZtunnelConfig = {
    ...identityOf(env),
    ...controlPlaneOf(env, environment),
    ...dataPathOf(env, mode),
    ...portsOf(env),
    proxyEnabled: env.flag('ENABLE_PROXY', true),
    mode,
    dedicatedWorkload: mode === 'dedicated' ? dedicatedWorkloadOf(env) : undefined,
    localXds: localXdsOf(env),
    fakeCa: env.flag('FAKE_CA', false),
    secretTtlMs: env.durationMs('SECRET_TTL', 24 * HOUR_MS),
    drainDeadlineMs: drainDeadlineOf(env),
    crlPath: env.optional('CRL_PATH'),
    tls12Enabled: env.flag('TLS12_ENABLED', false),
    compliancePolicy: env.choice('COMPLIANCE_POLICY', '', ['', 'pqc', 'fips-140-2'] as const),
    policyInfoLogging: env.flag('AUTHZ_POLICY_INFO_LOGGING', false),
    unknownPolicy: env.choice('AMBIT_UNKNOWN_POLICY', 'deny', ['deny', 'allow'] as const),
    logLevel: env.text('RUST_LOG', 'info'),
    logFormat: env.choice('LOG_FORMAT', 'plain', ['plain', 'json'] as const),
  };
  env.finish();
  return Object.freeze(config);
}

function identityOf(env: EnvironmentReader) {
  return {
    nodeName: env.text('NODE_NAME', ''),
    podName: env.text('POD_NAME', ''),
    podNamespace: env.text('POD_NAMESPACE', ''),
    serviceAccount: env.text('SERVICE_ACCOUNT', ''),
    instanceIp: env.text('INSTANCE_IP', '1.1.1.1'),
    network: env.text('NETWORK', ''),
    clusterId: env.optional('ISTIO_META_CLUSTER_ID') ?? env.text('CLUSTER_ID', 'Kubernetes'),
    clusterDomain: env.text('CLUSTER_DOMAIN', 'cluster.local'),
    trustDomain: env.text('TRUST_DOMAIN', 'cluster.local'),
  };
}

function controlPlaneOf(env: EnvironmentReader, environment: Environment) {
  const inKubernetes = environment['KUBERNETES_SERVICE_HOST'] !== undefined;
  const fallback = inKubernetes ? 'https://istiod.istio-system.svc:15012' : 'https://localhost:15012';
  return {
    xdsAddress: withScheme(env.text('XDS_ADDRESS', fallback)),
    caAddress: withScheme(env.text('CA_ADDRESS', fallback)),
    xdsRootCa: env.text('XDS_ROOT_CA', './var/run/secrets/istio/root-cert.pem'),
    caRootCa: env.text('CA_ROOT_CA', './var/run/secrets/istio/root-cert.pem'),
    altXdsHostname: env.optional('ALT_XDS_HOSTNAME'),
    altCaHostname: env.optional('ALT_CA_HOSTNAME'),
    authToken: env.text('AUTH_TOKEN', './var/run/secrets/tokens/istio-token'),
    xdsHeaders: env.withPrefix('XDS_HEADER_'),
    caHeaders: env.withPrefix('CA_HEADER_'),
    proxyMetadata: proxyMetadataOf(env),
    xdsOnDemand: env.flag('XDS_ON_DEMAND', false),
  };
}

function dataPathOf(env: EnvironmentReader, mode: 'shared' | 'dedicated') {
  const mark = env.integer('PACKET_MARK', mode === 'shared' ? 1337 : 0, 0, 0xffffffff);
  const originalSource = env.optional('ENABLE_ORIG_SRC');
  return {
    zdsSocketPath: env.text('INPOD_UDS', '/var/run/ztunnel/ztunnel.sock'),
    reusePort: env.flag('INPOD_PORT_REUSE', true),
    packetMark: mark === 0 ? undefined : mark,
    originalSource:
      originalSource === undefined
        ? ('best-effort' as const)
        : env.flag('ENABLE_ORIG_SRC', true)
          ? ('required' as const)
          : ('off' as const),
    ipv6Enabled: env.flag('IPV6_ENABLED', true),
    localhostAppTunnel: env.flag('LOCALHOST_APP_TUNNEL', true),
    socks5Enabled: env.flag('UNSTABLE_ENABLE_SOCKS5', false),
    dataThreads: dataThreadsOf(env),
    singleThread: env.flag('AMBIT_SINGLE_THREAD', false),
    ...readTunnelConfig(env),
    keepAlive: {
      enabled: env.flag('KEEPALIVE_ENABLED', true),
      idleMs: env.durationMs('KEEPALIVE_TIME', 180_000, MAX_KEEP_ALIVE_HOURS),
      intervalMs: env.durationMs('KEEPALIVE_INTERVAL', 180_000, MAX_KEEP_ALIVE_HOURS),
      probes: env.integer('KEEPALIVE_RETRIES', 9, 1, 127),
      userTimeoutEnabled: env.flag('USER_TIMEOUT_ENABLED', false),
    },
    responseBaggage: env.flag('ENABLE_RESPONSE_BAGGAGE', true),
    // The spelling is that of the variable that operators set (facts ztunnel-wire 17).
    preferredServiceNamespace: env.optional('PREFERED_SERVICE_NAMESPACE'),
    dnsCapture: dnsCaptureOf(env),
    resolvConfPath: env.text('AMBIT_RESOLV_CONF', '/etc/resolv.conf'),
  };
}

/** Answers need the whole mesh, which XDS_ON_DEMAND does not bring (facts ztunnel-wire 12). */
function dnsCaptureOf(env: EnvironmentReader): boolean {
  const capture = env.flag('ISTIO_META_DNS_CAPTURE', true);
  if (capture && env.flag('XDS_ON_DEMAND', false)) {
    env.refuse('XDS_ON_DEMAND=true leaves the DNS proxy without names: set ISTIO_META_DNS_CAPTURE=false');
  }
  return capture;
}

function portsOf(env: EnvironmentReader) {
  const dnsAddress = env.text('ISTIO_META_DNS_PROXY_ADDR', '15053');
  const dnsPort = Number(dnsAddress.slice(dnsAddress.lastIndexOf(':') + 1));
  if (!Number.isInteger(dnsPort)) env.refuse(`ISTIO_META_DNS_PROXY_ADDR="${dnsAddress}" has no port`);
  const port = (name: string, fallback: number) => env.integer(name, fallback, 0, 65535);
  return {
    dnsPort,
    adminPort: port('ADMIN_PORT', 15000),
    metricsPort: port('STATS_PORT', 15020),
    readinessPort: port('READINESS_PORT', 15021),
    inboundPort: port('INBOUND_PORT', 15008),
    inboundPlaintextPort: port('INBOUND_PLAINTEXT_PORT', 15006),
    outboundPort: port('OUTBOUND_PORT', 15001),
    socks5Port: port('SOCKS5_PORT', 15080),
  };
}

function withScheme(address: string): string {
  return address === '' || address.includes('://') ? address : `https://${address}`;
}

function dedicatedWorkloadOf(env: EnvironmentReader): DedicatedWorkload | undefined {
  const text = env.text('PROXY_WORKLOAD_INFO', '');
  const [namespace = '', name = '', serviceAccount = '', ...rest] = text.split('/');
  if (namespace !== '' && name !== '' && serviceAccount !== '' && rest.length === 0) {
    return { namespace, name, serviceAccount };
  }
  env.refuse(`PROXY_WORKLOAD_INFO="${text}" is not <namespace>/<name>/<service account>; dedicated mode needs it`);
  return undefined;
}

function localXdsOf(env: EnvironmentReader): ZtunnelConfig['localXds'] {
  const path = env.optional('LOCAL_XDS_PATH');
  const text = env.optional('LOCAL_XDS');
  if (path !== undefined && text !== undefined) env.refuse('set LOCAL_XDS_PATH or LOCAL_XDS, not both');
  if (path !== undefined) return { path };
  return text === undefined ? undefined : { text };
}

function proxyMetadataOf(env: EnvironmentReader): ReadonlyMap<string, unknown> {
  const metadata = new Map<string, unknown>(env.withPrefix('ISTIO_META_'));
  for (const [name, text] of env.withPrefix('ISTIO_METAJSON_')) {
    try {
      metadata.set(name, JSON.parse(text));
    } catch (error) {
      env.refuse(`ISTIO_METAJSON_${name} is not JSON: ${errorText(error)}`);
    }
  }
  return metadata;
}

/** CONNECTION_TERMINATION_DEADLINE, else the grace period less the time that Kubernetes needs to end us (facts 13). */
function drainDeadlineOf(env: EnvironmentReader): number {
  if (env.optional('CONNECTION_TERMINATION_DEADLINE') !== undefined) {
    return env.durationMs('CONNECTION_TERMINATION_DEADLINE', 5000);
  }
  if (env.optional('TERMINATION_GRACE_PERIOD_SECONDS') === undefined) return 5000;
  const graceSec = env.integer('TERMINATION_GRACE_PERIOD_SECONDS', 5, 0, 86_400);
  return (graceSec > 10 ? graceSec - 5 : Math.max(1, graceSec - 1)) * 1000;
}

/** `n`, `n%` of the cores, or 0 for all; unset: the CPU limit, else a quarter of the cores and at least one. */
function dataThreadsOf(env: EnvironmentReader): number {
  const cores = availableParallelism();
  const text = env.optional('ZTUNNEL_WORKER_THREADS');
  if (text === undefined) {
    const limit = env.integer('ZTUNNEL_CPU_LIMIT', 0, 0, 4096);
    return limit > 0 ? Math.min(limit, cores) : Math.max(1, Math.ceil(cores / 4));
  }
  const percent = /^(\d{1,3})%$/.exec(text)?.[1];
  if (percent !== undefined) return Math.max(1, Math.ceil((cores * Number(percent)) / 100));
  return env.integer('ZTUNNEL_WORKER_THREADS', 1, 0, 1024) || cores;
}

/** The mesh file's `defaultConfig` under `PROXY_CONFIG`, as environment variables. */
function proxyConfigOverlay(environment: Environment): { variables: Record<string, string>; problems: string[] } {
  const variables: Record<string, string> = {};
  const problems: string[] = [];
  const merge = (source: string, text: string, pick: (document: Record<string, unknown>) => unknown) => {
    try {
      // The YAML reader is loaded only where there is YAML to read: most proxies have none and save its memory.
      const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
      const document: unknown = yaml.parse(text);
      Object.assign(variables, toVariables(isRecord(document) ? pick(document) : undefined));
    } catch (error) {
      problems.push(`${source}: ${errorText(error)}`);
    }
  };
  const meshFile = './etc/istio/config/mesh';
  const mesh = readIfPresent(meshFile);
  if (mesh !== undefined) merge(meshFile, mesh, (document) => document['defaultConfig']);
  const proxyConfig = environment['PROXY_CONFIG'];
  if (proxyConfig) merge('PROXY_CONFIG', proxyConfig, (document) => document);
  return { variables, problems };
}

function toVariables(config: unknown): Record<string, string> {
  const variables: Record<string, string> = {};
  if (!isRecord(config)) return variables;
  for (const [key, variable] of Object.entries(PROXY_CONFIG_KEYS)) {
    if (config[key] !== undefined) variables[variable] = String(config[key]);
  }
  if (isRecord(config['proxyMetadata'])) {
    for (const [key, value] of Object.entries(config['proxyMetadata'])) variables[key] = String(value);
  }
  return variables;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The file is optional: a mesh without one has no defaults to give.
    return undefined;
  }
}
