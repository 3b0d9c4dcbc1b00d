/** The same rules as `in-pod-rules.ts` for native nftables (facts ztunnel-wire 2.4). */
import {
  DNS_PROXY_PORT,
  INBOUND_HBONE_PORT,
  INBOUND_PLAINTEXT_PORT,
  type InPodRuleOptions,
  OUTBOUND_PORT,
} from './in-pod-rules.ts';

/** The tables of the mesh, all of family `inet`. */
export const NFT_TABLES = ['istio-ambient-nat', 'istio-ambient-mangle', 'istio-ambient-raw'] as const;

type NftTable = (typeof NFT_TABLES)[number];

const ZTUNNEL = 'meta mark & 0xfff == 0x539';
const NOT_ZTUNNEL = 'meta mark & 0xfff != 0x539';

interface Hook {
  readonly outputType: 'nat' | 'route' | 'filter';
  readonly preroutingType: 'nat' | 'filter';
  readonly priority: number;
}

const HOOKS: Readonly<Record<NftTable, Hook>> = {
  'istio-ambient-nat': { preroutingType: 'nat', outputType: 'nat', priority: -100 },
  // A route hook looks the route up again after the mark changed.
  'istio-ambient-mangle': { preroutingType: 'filter', outputType: 'route', priority: -150 },
  'istio-ambient-raw': { preroutingType: 'filter', outputType: 'filter', priority: -300 },
};

/** The rules of one table. */
export interface NftRules {
  readonly prerouting: readonly string[];
  readonly output: readonly string[];
}

/** One family's matches; a rule is written once per family. */
interface Family {
  readonly notLoopback: string;
  readonly fromProbe: string;
  readonly toProbe: string;
}

function familiesOf(options: InPodRuleOptions): Family[] {
  const v4: Family = {
    notLoopback: 'ip daddr != 127.0.0.1',
    fromProbe: `ip saddr ${options.probeAddressV4}`,
    toProbe: `ip daddr ${options.probeAddressV4}`,
  };
  const v6: Family = {
    notLoopback: 'ip6 daddr != ::1',
    fromProbe: `ip6 saddr ${options.probeAddressV6}`,
    toProbe: `ip6 daddr ${options.probeAddressV6}`,
  };
  return options.ipv6 ? [v4, v6] : [v4];
}

/** As SPARE_OPEN_CONNECTIONS of the iptables variant. */
const SPARE_OPEN_CONNECTIONS = 'tcp flags & (fin | syn | rst | ack) != syn accept';

function natRules(options: InPodRuleOptions): NftRules {
  if (options.capture === 'none') return { prerouting: [], output: [] };
  const spared = options.capture === 'new-connections' ? [SPARE_OPEN_CONNECTIONS] : [];
  const families = familiesOf(options);
  const onlyV4 = options.ipv6 ? '' : 'meta nfproto ipv4 ';
  const reroute = options.rerouteVirtualInterfaces.flatMap((name) => [
    `${onlyV4}iifname "${name}" meta l4proto tcp redirect to :${OUTBOUND_PORT}`,
    `${onlyV4}iifname "${name}" meta l4proto tcp return`,
  ]);
  const inbound = [
    ...families.map(({ fromProbe }) => `${fromProbe} meta l4proto tcp accept`),
    ...families.map(
      ({ notLoopback }) =>
        `${notLoopback} tcp dport != ${INBOUND_HBONE_PORT} ${NOT_ZTUNNEL} redirect to :${INBOUND_PLAINTEXT_PORT}`,
    ),
  ];
  const dns = [
    `${onlyV4}oifname != "lo" udp dport 53 ${NOT_ZTUNNEL} redirect to :${DNS_PROXY_PORT}`,
    ...families.map(({ notLoopback }) => `${notLoopback} tcp dport 53 ${NOT_ZTUNNEL} redirect to :${DNS_PROXY_PORT}`),
  ];
  return {
    prerouting: [...spared, ...reroute, ...(options.ingressMode ? [] : inbound)],
    output: [
      ...spared,
      ...families.map(({ toProbe }) => `${toProbe} meta l4proto tcp accept`),
      ...(options.dnsCapture ? dns : []),
      'meta l4proto tcp meta mark & 0xfff == 0x111 accept',
      ...families.map(({ notLoopback }) => `${notLoopback} oifname "lo" accept`),
      ...families.map(
        ({ notLoopback }) => `${notLoopback} meta l4proto tcp ${NOT_ZTUNNEL} redirect to :${OUTBOUND_PORT}`,
      ),
    ],
  };
}

/** The rules per table. The raw table is written with DNS capture only. */
export function inPodNftRules(options: InPodRuleOptions): ReadonlyMap<NftTable, NftRules> {
  const tables = new Map<NftTable, NftRules>([
    ['istio-ambient-nat', natRules(options)],
    [
      'istio-ambient-mangle',
      {
        prerouting: [`${ZTUNNEL} ct mark set ct mark & 0xfffff000 | 0x111`],
        output: ['ct mark & 0xfff == 0x111 meta mark set ct mark'],
      },
    ],
  ]);
  if (options.dnsCapture) {
    tables.set('istio-ambient-raw', {
      prerouting: [`udp sport 53 ${NOT_ZTUNNEL} ct zone set 1`],
      output: [options.capture === 'none' ? 'udp dport 53 ct zone set 1' : `udp dport 53 ${ZTUNNEL} ct zone set 1`],
    });
  }
  return tables;
}

function tableText(table: NftTable, { prerouting, output }: NftRules): string[] {
  const { preroutingType, outputType, priority } = HOOKS[table];
  const chain = (name: string, rules: readonly string[]) => [
    `  chain ${name} {`,
    ...rules.map((r) => `    ${r}`),
    '  }',
  ];
  return [
    `table inet ${table} {`,
    ...chain('istio-prerouting', prerouting),
    ...chain('istio-output', output),
    ...chain('prerouting', [
      `type ${preroutingType} hook prerouting priority ${priority}; policy accept;`,
      'jump istio-prerouting',
    ]),
    ...chain('output', [`type ${outputType} hook output priority ${priority}; policy accept;`, 'jump istio-output']),
    '}',
  ];
}

/** Deletes the mesh's tables; `add` before `delete` makes that work when they are absent. */
export function nftRemovalText(): string {
  return NFT_TABLES.map((table) => `add table inet ${table}\ndelete table inet ${table}\n`).join('');
}

/** The input of `nft -f -` that replaces the mesh's tables, whatever they held, in one transaction. */
export function nftScript(options: InPodRuleOptions): string {
  const tables = [...inPodNftRules(options)].flatMap(([table, rules]) => tableText(table, rules));
  return `${nftRemovalText()}${tables.join('\n')}\n`;
}
