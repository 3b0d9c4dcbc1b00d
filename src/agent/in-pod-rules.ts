/**
 * The iptables rules inside a pod's network namespace, as data (facts ztunnel-wire 2.1, 2.5). Rules are written the way
 * iptables-save prints them, so that what was read back can be compared.
 */

/** "From ztunnel, do not redirect again" (facts ztunnel-wire 1.4). */
export const ZTUNNEL_MARK = '0x539/0xfff';
/** "Opened by ztunnel towards the local application": replies are routed back to ztunnel. */
export const RETURN_MARK = '0x111/0xfff';
/** Source address of kubelet probes and other host processes, after SNAT on the host. */
export const DEFAULT_PROBE_ADDRESS_V4 = '169.254.7.127';
export const DEFAULT_PROBE_ADDRESS_V6 = 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff';

export const OUTBOUND_PORT = 15001;
export const INBOUND_PLAINTEXT_PORT = 15006;
export const INBOUND_HBONE_PORT = 15008;
export const DNS_PROXY_PORT = 15053;
/** Where the rules redirect to; 15008 is called directly. */
export const REDIRECT_PORTS: readonly number[] = [OUTBOUND_PORT, INBOUND_PLAINTEXT_PORT, DNS_PROXY_PORT];

/**
 * Which connections are redirected. `all`, or while a running pod comes and goes: `new-connections` spares those that were
 * open before, `none` keeps what open connections of ztunnel need and sends nothing more to it.
 */
export type CaptureScope = 'all' | 'new-connections' | 'none';

/** What varies between pods. */
export interface InPodRuleOptions {
  /** Default `all`. */
  readonly capture?: CaptureScope;
  /** Send the pod's DNS queries to ztunnel. */
  readonly dnsCapture: boolean;
  /** Leave inbound plaintext to the application (`bypass-inbound-capture`). */
  readonly ingressMode: boolean;
  /** Interfaces (bridges of VMs or nested containers) whose inbound TCP counts as outbound. */
  readonly rerouteVirtualInterfaces: readonly string[];
  readonly probeAddressV4: string;
  readonly probeAddressV6: string;
  /** Write IPv6 rules as well. */
  readonly ipv6: boolean;
}

export type IpFamily = 4 | 6;

/** The rules of one chain, in order. */
export interface ChainRules {
  readonly chain: string;
  readonly rules: readonly string[];
}

/** The chains of one table. Built-in chains only hold the jumps. */
export interface TableRules {
  readonly table: 'mangle' | 'nat' | 'raw';
  readonly chains: readonly ChainRules[];
}

/** The chains that belong to the mesh; nothing else in a pod is touched. */
export const MESH_CHAINS = ['ISTIO_PRERT', 'ISTIO_OUTPUT'] as const;

const JUMPS: readonly ChainRules[] = [
  { chain: 'PREROUTING', rules: ['-j ISTIO_PRERT'] },
  { chain: 'OUTPUT', rules: ['-j ISTIO_OUTPUT'] },
];
const NOT_ZTUNNEL = `-m mark ! --mark ${ZTUNNEL_MARK}`;

interface Addresses {
  /** Loopback as a network, such as `127.0.0.1/32`. */
  readonly loopback: string;
  /** The probe source as a network. */
  readonly probe: string;
}

function addressesOf(options: InPodRuleOptions, family: IpFamily): Addresses {
  if (family === 4) return { loopback: '127.0.0.1/32', probe: `${options.probeAddressV4}/32` };
  return { loopback: '::1/128', probe: `${options.probeAddressV6}/128` };
}

function mangleTable(): TableRules {
  return {
    table: 'mangle',
    chains: [
      ...JUMPS,
      { chain: 'ISTIO_PRERT', rules: [`-m mark --mark ${ZTUNNEL_MARK} -j CONNMARK --set-xmark ${RETURN_MARK}`] },
      {
        chain: 'ISTIO_OUTPUT',
        rules: [`-m connmark --mark ${RETURN_MARK} -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff`],
      },
    ],
  };
}

/**
 * The first packet that connection tracking sees of an open connection is no SYN. It passes here, which settles for the
 * rest of the connection that it is not redirected.
 */
const SPARE_OPEN_CONNECTIONS = '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT';

function spared(options: InPodRuleOptions): string[] {
  return options.capture === 'new-connections' ? [SPARE_OPEN_CONNECTIONS] : [];
}

function natPrerouting(options: InPodRuleOptions, { loopback, probe }: Addresses): string[] {
  if (options.capture === 'none') return [];
  const rules = options.rerouteVirtualInterfaces.flatMap((name) => [
    `-i ${name} -p tcp -j REDIRECT --to-ports ${OUTBOUND_PORT}`,
    `-i ${name} -p tcp -j RETURN`,
  ]);
  if (options.ingressMode) return [...spared(options), ...rules];
  return [
    ...spared(options),
    ...rules,
    `-s ${probe} -p tcp -j ACCEPT`,
    // 15008 is served directly: its local address is the destination.
    `! -d ${loopback} -p tcp -m tcp ! --dport ${INBOUND_HBONE_PORT} ${NOT_ZTUNNEL} -j REDIRECT --to-ports ${INBOUND_PLAINTEXT_PORT}`,
  ];
}

function natOutput(options: InPodRuleOptions, { loopback, probe }: Addresses): string[] {
  if (options.capture === 'none') return [];
  const dns = [
    `! -o lo -p udp -m udp --dport 53 ${NOT_ZTUNNEL} -j REDIRECT --to-ports ${DNS_PROXY_PORT}`,
    `! -d ${loopback} -p tcp -m tcp --dport 53 ${NOT_ZTUNNEL} -j REDIRECT --to-ports ${DNS_PROXY_PORT}`,
  ];
  return [
    ...spared(options),
    `-d ${probe} -p tcp -j ACCEPT`,
    ...(options.dnsCapture ? dns : []),
    `-p tcp -m mark --mark ${RETURN_MARK} -j ACCEPT`,
    // A pod that calls its own address is left alone.
    `! -d ${loopback} -o lo -j ACCEPT`,
    `! -d ${loopback} -p tcp ${NOT_ZTUNNEL} -j REDIRECT --to-ports ${OUTBOUND_PORT}`,
  ];
}

/**
 * Keeps ztunnel's own queries in a conntrack zone apart from the application's redirected ones. While a pod leaves, the
 * application's new queries are in that zone too: outside of it a port that is used again still leads to ztunnel.
 */
function rawTable({ capture }: InPodRuleOptions): TableRules {
  const own = capture === 'none' ? '' : ` -m mark --mark ${ZTUNNEL_MARK}`;
  return {
    table: 'raw',
    chains: [
      ...JUMPS,
      { chain: 'ISTIO_PRERT', rules: [`-p udp ${NOT_ZTUNNEL} -m udp --sport 53 -j CT --zone 1`] },
      { chain: 'ISTIO_OUTPUT', rules: [`-p udp${own} -m udp --dport 53 -j CT --zone 1`] },
    ],
  };
}

/** All rules of one family. */
export function inPodRules(options: InPodRuleOptions, family: IpFamily): readonly TableRules[] {
  const addresses = addressesOf(options, family);
  const nat: TableRules = {
    table: 'nat',
    chains: [
      ...JUMPS,
      { chain: 'ISTIO_PRERT', rules: natPrerouting(options, addresses) },
      { chain: 'ISTIO_OUTPUT', rules: natOutput(options, addresses) },
    ],
  };
  return options.dnsCapture ? [mangleTable(), nat, rawTable(options)] : [mangleTable(), nat];
}
