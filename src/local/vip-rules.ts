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
  const chainName = (index: number) => `service-${index}`;
  const entries = endpoints.map(
    ({ protocol, vip, port }, index) => `${vip} . ${protocol} . ${port} : goto ${chainName(index)}`,
  );
  const own = [...new Set(endpoints.flatMap(({ targets }) => targets.map(({ address }) => `${address} . ${address}`)))];
  return `table ${table} ${TABLE}
delete table ${table} ${TABLE}
table ${table} ${TABLE} {
  set hairpin { type ${type} . ${type}; ${elements(own)}}
  map services { type ${type} . inet_proto . inet_service : verdict; ${elements(entries)}}
${endpoints.map(({ targets }, index) => `  chain ${chainName(index)} { ${balance(table, targets)}; }\n`).join('')}\
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
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
