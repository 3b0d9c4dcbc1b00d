/** The configuration of `ambit agent`: flags, else environment, else defaults. Parsed once, then frozen. */
import { parseArgs } from 'node:util';
import { AmbitError, errorText } from '../base/errors.ts';
import { parseIpAddress } from '../model/address.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { DEFAULT_PROBE_ADDRESS_V4, DEFAULT_PROBE_ADDRESS_V6, type InPodRuleOptions } from './in-pod-rules.ts';
import type { RuleBackend } from './rule-applier.ts';

export interface AgentConfig {
  /** SEQPACKET socket for ztunnel. */
  readonly zdsPath: string;
  /** HTTP socket for the CNI plugin and the local engine. */
  readonly socketPath: string;
  readonly readiness: Endpoint;
  readonly ruleBackend: RuleBackend;
  /** The redirection of pods without annotations. */
  readonly rules: InPodRuleOptions;
}

type Environment = Readonly<Record<string, string | undefined>>;

const FLAGS = {
  'ztunnel-uds-address': { type: 'string' },
  'cni-event-address': { type: 'string' },
  'readiness-address': { type: 'string' },
  'rule-backend': { type: 'string' },
} as const;

function invalid(message: string, cause?: unknown): AmbitError<'CONFIG_INVALID'> {
  return new AmbitError('CONFIG_INVALID', message, cause === undefined ? {} : { cause });
}

function flagsOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true }).values;
  } catch (cause) {
    throw invalid(errorText(cause), cause);
  }
}

function boolean(env: Environment, name: string, fallback: boolean): boolean {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalid(`${name}: '${text}' is neither true nor false`);
}

function address(env: Environment, name: string, family: 4 | 6, fallback: string): string {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const ip = parseIpAddress(text);
  if (ip === undefined || ip.includes(':') !== (family === 6))
    throw invalid(`${name}: '${text}' is no IPv${family} address`);
  return ip;
}

function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  const ip = parseIpAddress(host);
  if (colon < 0 || ip === undefined || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw invalid(`--readiness-address: '${text}' is not ADDRESS:PORT`);
  }
  return { address: ip, port };
}

function backend(flag: string | undefined, env: Environment): RuleBackend {
  const text = flag ?? (boolean(env, 'NATIVE_NFTABLES', false) ? 'nft' : 'auto');
  if (text === 'auto' || text === 'iptables' || text === 'nft') return text;
  throw invalid(`--rule-backend: '${text}' is not auto, iptables or nft`);
}

/**
 * Reads the configuration.
 * @throws AmbitError CONFIG_INVALID that names the flag or variable
 */
export function parseAgentConfig(args: readonly string[], env: Environment = process.env): AgentConfig {
  const flags = flagsOf(args);
  return Object.freeze({
    zdsPath: flags['ztunnel-uds-address'] ?? env['ZTUNNEL_UDS_ADDRESS'] ?? '/var/run/ztunnel/ztunnel.sock',
    socketPath: flags['cni-event-address'] ?? env['CNI_EVENT_ADDRESS'] ?? '/var/run/istio-cni/pluginevent.sock',
    readiness: endpoint(flags['readiness-address'] ?? env['READINESS_ADDRESS'] ?? '0.0.0.0:8000'),
    ruleBackend: backend(flags['rule-backend'], env),
    rules: Object.freeze({
      dnsCapture: boolean(env, 'AMBIENT_DNS_CAPTURE', true),
      ingressMode: false,
      rerouteVirtualInterfaces: [],
      probeAddressV4: address(env, 'HOST_PROBE_SNAT_IP', 4, DEFAULT_PROBE_ADDRESS_V4),
      probeAddressV6: address(env, 'HOST_PROBE_SNAT_IPV6', 6, DEFAULT_PROBE_ADDRESS_V6),
      ipv6: boolean(env, 'AMBIENT_IPV6', true),
    }),
  });
}
