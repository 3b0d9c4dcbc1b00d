/**
 * Virtual addresses as nftables rules of a node: what kube-proxy does on a cluster. A connection to an address and port
 * goes to a random endpoint; a pod that reaches itself is masqueraded, or it would refuse its own packets.
 */
import { type IpAddress, isV4 } from '../model/address.ts';
import type { VipTarget, VirtualEndpoint } from './service-view.ts';

interface Family {
  readonly table: 'ip' | 'ip6';
  readonly type: 'ipv4_addr' | 'ipv6_addr';
  readonly accepts: (ip: IpAddress) => boolean;
}

const FAMILIES: readonly Family[] = [
  { table: 'ip', type: 'ipv4_addr', accepts: isV4 },
  { table: 'ip6', type: 'ipv6_addr', accepts: (ip) => !isV4(ip) },
];
const TABLE = 'ambit-services';

/** The whole rule set as one `nft -f` transaction that replaces the one before. */
export function vipRules(endpoints: readonly VirtualEndpoint[]): string {
  return FAMILIES.map((family) => familyRules(family, endpoints)).join('');
}

function familyRules(family: Family, all: readonly VirtualEndpoint[]): string {
  const endpoints = uniqueVips(all).filter(({ vip, targets }) => family.accepts(vip) && targets.length > 0);
  const { table, type } = family;
  const key = ({ vip, protocol, port }: VirtualEndpoint) => `${vip} . ${protocol} . ${port}`;
  // nft takes quadratic time in the number of chains: a single target needs none, equal sets of targets share one.
  const single = endpoints.flatMap(({ targets: [only, ...others], ...endpoint }) =>
    only === undefined || others.length > 0
      ? []
      : [`${key({ ...endpoint, targets: [] })} : ${only.address} . ${only.port}`],
  );
  const chains = new Map<string, string>();
  const entries = endpoints
    .filter(({ targets }) => targets.length > 1)
    .map((endpoint) => {
      const rule = balance(table, endpoint.targets);
      const chain = chains.get(rule) ?? `targets-${chains.size}`;
      chains.set(rule, chain);
      return `${key(endpoint)} : goto ${chain}`;
    });
  const own = [...new Set(endpoints.flatMap(({ targets }) => targets.map(({ address }) => `${address} . ${address}`)))];
  return `table ${table} ${TABLE}
delete table ${table} ${TABLE}
table ${table} ${TABLE} {
  set hairpin { type ${type} . ${type}; ${elements(own)}}
  map single { type ${type} . inet_proto . inet_service : ${type} . inet_service; ${elements(single)}}
  map services { type ${type} . inet_proto . inet_service : verdict; ${elements(entries)}}
${[...chains].map(([rule, chain]) => `  chain ${chain} { ${rule}; }\n`).join('')}\
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    meta l4proto { tcp, udp } dnat ${table} to ${table} daddr . meta l4proto . th dport map @single;
    ${table} daddr . meta l4proto . th dport vmap @services;
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${table} saddr . ${table} daddr @hairpin masquerade;
  }
}
`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }; `;
}

function balance(table: string, targets: readonly VipTarget[]): string {
  const map = targets.map(({ address, port }, index) => `${index} : ${address} . ${port}`).join(', ');
  return `meta l4proto { tcp, udp } dnat ${table} to numgen random mod ${targets.length} map { ${map} }`;
}

/** Of two services that claim one address and port the first counts: a map has each key once. */
function uniqueVips(endpoints: readonly VirtualEndpoint[]): VirtualEndpoint[] {
  const seen = new Set<string>();
  return endpoints.filter(({ protocol, vip, port }) => {
    const id = `${protocol} ${vip} ${port}`;
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
