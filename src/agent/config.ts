/** The configuration of `ambit agent`: flags, else environment, else defaults. Parsed once, then frozen. */
import { basename, dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Environment, EnvironmentReader } from '../base/environment.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import { parseIpAddress } from '../model/address.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { DEFAULT_SELECTORS, type EligibilityRules, readSelectors } from './cluster/eligibility.ts';
import { DEFAULT_PROBE_ADDRESS_V4, DEFAULT_PROBE_ADDRESS_V6, type InPodRuleOptions } from './in-pod-rules.ts';
import type { RuleBackend } from './rule-applier.ts';

export interface AgentConfig {
  /** SEQPACKET socket for ztunnel. */
  readonly zdsPath: string;
  /** HTTP socket for the CNI plugin and the local engine. */
  readonly socketPath: string;
  readonly readiness: Endpoint;
  /** Where metrics are read; undefined for nowhere. */
  readonly monitoring: Endpoint | undefined;
  readonly ruleBackend: RuleBackend;
  /** The redirection of pods without annotations. */
  readonly rules: InPodRuleOptions;
  /** How long open connections of a pod that leaves the mesh have to end. */
  readonly leaveDrainMs: number;
  /** How long connections from before a running pod joined the mesh may go on as they are. */
  readonly joinDrainMs: number;
  /** Undefined on a node without Kubernetes. */
  readonly cluster: ClusterConfig | undefined;
}

/** What the agent of a cluster node needs. */
export interface ClusterConfig {
  readonly nodeName: string;
  /** The agent's own pod; empty when it is not known. */
  readonly podName: string;
  readonly podNamespace: string;
  readonly eligibility: EligibilityRules;
  /** Whether rules of pods that are in the mesh are compared and rewritten at the start. */
  readonly reconcileRules: boolean;
  /** The host's /proc. */
  readonly procRoot: string;
  /** What has to survive a reboot; the same path on the host. */
  readonly stateDir: string;
  /** The host's folder of CNI configurations, as mounted. */
  readonly cniConfDir: string;
  /** The host's folder of CNI programs, as mounted. */
  readonly cniBinDir: string;
  /** The plugin in the image. */
  readonly cniBinary: string;
}

/** The name the CNI plugin knows; its folder is configurable. */
const EVENT_SOCKET = 'pluginevent.sock';
const DEFAULT_LEAVE_DRAIN_MS = 30_000;
const DEFAULT_JOIN_DRAIN_MS = 300_000;
const BACKENDS = ['auto', 'iptables', 'nft'] as const;

const FLAGS = {
  'ztunnel-uds-address': { type: 'string' },
  'cni-event-address': { type: 'string' },
  'readiness-address': { type: 'string' },
  'monitoring-address': { type: 'string' },
  'rule-backend': { type: 'string' },
  'node-name': { type: 'string' },
  'cni-net-dir': { type: 'string' },
  'cni-bin-dir': { type: 'string' },
  'cni-binary': { type: 'string' },
  'state-dir': { type: 'string' },
} as const;

type Flags = Readonly<Partial<Record<keyof typeof FLAGS, string>>>;

function flagsOf(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true }).values;
  } catch (cause) {
    throw new AmbitError('INVALID_CONFIGURATION', errorText(cause), { cause });
  }
}

function address(reader: EnvironmentReader, name: string, family: 4 | 6, fallback: string): string {
  const text = reader.optional(name);
  if (text === undefined) return fallback;
  const ip = parseIpAddress(text);
  if (ip !== undefined && ip.includes(':') === (family === 6)) return ip;
  reader.refuse(`${name}="${text}" is not an IPv${family} address`);
  return fallback;
}

function endpoint(reader: EnvironmentReader, name: string, text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  const ip = parseIpAddress(host);
  if (colon >= 0 && ip !== undefined && Number.isInteger(port) && port >= 0 && port <= 65535)
    return { address: ip, port };
  reader.refuse(`${name}: "${text}" is not ADDRESS:PORT`);
  return { address: '0.0.0.0', port: 0 };
}

function backend(reader: EnvironmentReader, flag: string | undefined): RuleBackend {
  const text = flag ?? (reader.flag('NATIVE_NFTABLES', false) ? 'nft' : 'auto');
  const known = BACKENDS.find((name) => name === text);
  if (known === undefined) reader.refuse(`--rule-backend: "${text}" is not one of ${BACKENDS.join(', ')}`);
  return known ?? 'auto';
}

function eligibility(reader: EnvironmentReader, systemNamespace: string): EligibilityRules {
  const selectors = reader.optional('AMBIENT_ENABLEMENT_SELECTOR');
  const excluded = reader.text('EXCLUDE_NAMESPACES', 'kube-system').split(',');
  return {
    selectors:
      selectors === undefined
        ? DEFAULT_SELECTORS
        : readSelectors(selectors, (problem) => reader.refuse(`AMBIENT_ENABLEMENT_SELECTOR: ${problem}`)),
    excludedNamespaces: excluded.map((name) => name.trim()).filter((name) => name !== ''),
    systemNamespace,
  };
}

function cluster(reader: EnvironmentReader, flags: Flags, socketPath: string): ClusterConfig | undefined {
  const nodeName = flags['node-name'] ?? reader.optional('NODE_NAME');
  if (nodeName === undefined || nodeName === '') return undefined;
  const podNamespace = reader.text('POD_NAMESPACE', 'istio-system');
  if (basename(socketPath) !== EVENT_SOCKET) {
    reader.refuse(`--cni-event-address: "${socketPath}" must end in /${EVENT_SOCKET}, the CNI plugin looks for it`);
  }
  return Object.freeze({
    nodeName,
    podName: reader.text('POD_NAME', ''),
    podNamespace,
    eligibility: eligibility(reader, podNamespace),
    reconcileRules: reader.flag('AMBIENT_RECONCILE_POD_RULES_ON_STARTUP', true),
    procRoot: reader.text('HOST_PROC', '/proc'),
    stateDir: flags['state-dir'] ?? reader.text('AMBIT_STATE_DIR', '/var/lib/ambit'),
    cniConfDir: flags['cni-net-dir'] ?? reader.text('CNI_NET_DIR', '/host/etc/cni/net.d'),
    cniBinDir: flags['cni-bin-dir'] ?? reader.text('CNI_BIN_DIR', '/host/opt/cni/bin'),
    cniBinary: flags['cni-binary'] ?? reader.text('CNI_BINARY', '/opt/ambit/build/ambit-cni'),
  });
}

/** What the CNI plugin is told about where to find the agent: the folder of the socket. */
export function runDirOf({ socketPath }: Pick<AgentConfig, 'socketPath'>): string {
  return dirname(socketPath);
}

/**
 * Reads the configuration.
 * @throws AmbitError INVALID_CONFIGURATION that names every flag and variable
 */
export function parseAgentConfig(args: readonly string[], environment: Environment): AgentConfig {
  const flags = flagsOf(args);
  const reader = new EnvironmentReader(environment);
  const socketPath =
    flags['cni-event-address'] ?? reader.text('CNI_EVENT_ADDRESS', `/var/run/istio-cni/${EVENT_SOCKET}`);
  const clusterConfig = cluster(reader, flags, socketPath);
  const monitoring =
    flags['monitoring-address'] ??
    reader.text('MONITORING_ADDRESS', clusterConfig === undefined ? '' : '0.0.0.0:15014');
  const config: AgentConfig = {
    zdsPath: flags['ztunnel-uds-address'] ?? reader.text('ZTUNNEL_UDS_ADDRESS', '/var/run/ztunnel/ztunnel.sock'),
    socketPath,
    readiness: endpoint(
      reader,
      '--readiness-address',
      flags['readiness-address'] ?? reader.text('READINESS_ADDRESS', '0.0.0.0:8000'),
    ),
    monitoring: monitoring === '' ? undefined : endpoint(reader, '--monitoring-address', monitoring),
    ruleBackend: backend(reader, flags['rule-backend']),
    rules: Object.freeze({
      dnsCapture: reader.flag('AMBIENT_DNS_CAPTURE', true),
      ingressMode: false,
      rerouteVirtualInterfaces: [],
      probeAddressV4: address(reader, 'HOST_PROBE_SNAT_IP', 4, DEFAULT_PROBE_ADDRESS_V4),
      probeAddressV6: address(reader, 'HOST_PROBE_SNAT_IPV6', 6, DEFAULT_PROBE_ADDRESS_V6),
      ipv6: reader.flag('AMBIENT_IPV6', true),
    }),
    leaveDrainMs: reader.durationMs('AMBIT_LEAVE_DRAIN', DEFAULT_LEAVE_DRAIN_MS),
    joinDrainMs: reader.durationMs('AMBIT_JOIN_DRAIN', DEFAULT_JOIN_DRAIN_MS),
    cluster: clusterConfig,
  };
  reader.finish();
  return Object.freeze(config);
}
