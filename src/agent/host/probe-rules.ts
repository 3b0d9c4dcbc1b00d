/**
 * The rules in the node's own network namespace that let kubelet's probes pass the mesh by, as data (facts ztunnel-wire
 * 2.3, 2.4): a connection that a process of the node opens to a pod of the mesh gets a source address that the rules
 * inside pods let through.
 */
import type { IpFamily } from '../in-pod-rules.ts';

/** Where the sources are rewritten; nothing else in the node's namespace is touched. */
export const HOST_CHAIN = 'ISTIO_POSTRT';
export const NFT_HOST_TABLE = 'istio-ambient-host';

/** Address of a pod, and the uid of the pod it belongs to. */
export type ProbeEntries = ReadonlyMap<string, string>;

/** The name of the set of addresses, the same for ipset and nft. */
export function probeSet(family: IpFamily): string {
  return `istio-inpod-probes-v${family}`;
}

export function familyOf(ip: string): IpFamily {
  return ip.includes(':') ? 6 : 4;
}

/** The input of `ipset restore -exist` that gives the set exactly these entries, in one step. */
export function ipsetScript(family: IpFamily, entries: ProbeEntries): string {
  const name = probeSet(family);
  const next = `${name}-new`;
  const type = `hash:ip family ${family === 4 ? 'inet' : 'inet6'} comment`;
  const adds = [...entries].filter(([ip]) => familyOf(ip) === family).map(([ip, uid]) => ipsetAdd(next, ip, uid));
  const lines = [`create ${name} ${type}`, `create ${next} ${type}`, `flush ${next}`, ...adds];
  return `${[...lines, `swap ${next} ${name}`, `destroy ${next}`].join('\n')}\n`;
}

function ipsetAdd(set: string, ip: string, uid: string): string {
  return `add ${set} ${ip} comment "${commentText(uid)}"`;
}

/** The input of `ipset restore -exist` that adds one entry, or gives it to another pod. */
export function ipsetAddScript(ip: string, uid: string): string {
  return `${ipsetAdd(probeSet(familyOf(ip)), ip, uid)}\n`;
}

/** A uid as a comment: whatever could end the word is left out. */
function commentText(uid: string): string {
  return uid.replaceAll(/[^A-Za-z0-9_.-]/g, '').slice(0, 64);
}

/**
 * The input of `iptables-restore --noflush` that puts the chain first in POSTROUTING, before the masquerading of others.
 * @param jumps jumps to the chain that are there now
 * @param source the address that pods let through
 */
export function hostIptablesScript(family: IpFamily, source: string, jumps: number): string {
  return `${[
    '*nat',
    `:${HOST_CHAIN} - [0:0]`,
    ...Array.from({ length: jumps }, () => `-D POSTROUTING -j ${HOST_CHAIN}`),
    `-I POSTROUTING 1 -j ${HOST_CHAIN}`,
    `-A ${HOST_CHAIN} -p tcp -m owner --socket-exists -m set --match-set ${probeSet(family)} dst -j SNAT --to-source ${source}`,
    'COMMIT',
  ].join('\n')}\n`;
}

/** The input of `iptables-restore --noflush` that removes the chain and its jumps; empty when nothing is there. */
export function hostIptablesRemoval(saved: SavedPostrouting): string {
  if (!saved.hasChain) return '';
  const jumps = Array.from({ length: saved.jumps }, () => `-D POSTROUTING -j ${HOST_CHAIN}`);
  return `${['*nat', ...jumps, `-F ${HOST_CHAIN}`, `-X ${HOST_CHAIN}`, 'COMMIT'].join('\n')}\n`;
}

export interface SavedPostrouting {
  readonly hasChain: boolean;
  readonly jumps: number;
  /** The first rule of POSTROUTING is the jump, and the chain has one rule, which names the set and the address. */
  readonly isInPlace: boolean;
}

/** What `iptables-save -t nat` says about the chain. */
export function parsePostrouting(text: string, family: IpFamily, source: string): SavedPostrouting {
  const lines = text.split('\n').map((line) => line.trim());
  const jump = `-A POSTROUTING -j ${HOST_CHAIN}`;
  const own = lines.filter((line) => line.startsWith(`-A ${HOST_CHAIN} `));
  const rule = own[0]?.split(' ') ?? [];
  return {
    hasChain: lines.some((line) => line.startsWith(`:${HOST_CHAIN} `)),
    jumps: lines.filter((line) => line === jump).length,
    isInPlace:
      lines.find((line) => line.startsWith('-A POSTROUTING ')) === jump &&
      own.length === 1 &&
      rule.includes(probeSet(family)) &&
      rule.includes(source),
  };
}

export interface NftHostOptions {
  readonly families: readonly IpFamily[];
  readonly sourceV4: string;
  readonly sourceV6: string;
  /** nft cannot ask for "any local socket", so it is the kubelet's user. */
  readonly kubeletUid: number;
  readonly entries: ProbeEntries;
}

/** The input of `nft -f -` that replaces the table, in one transaction. */
export function nftHostScript({ families, sourceV4, sourceV6, kubeletUid, entries }: NftHostOptions): string {
  const sets = families.map((family) => {
    const own = [...entries].filter(([ip]) => familyOf(ip) === family).map(([ip, uid]) => nftElement(ip, uid));
    const elements = own.length === 0 ? '' : `\n    elements = { ${own.join(', ')} }`;
    return `  set ${probeSet(family)} {\n    type ipv${family}_addr${elements}\n  }`;
  });
  const rules = families.map((family) => {
    const [ip, source] = family === 4 ? ['ip', sourceV4] : ['ip6', sourceV6];
    return `    meta l4proto tcp meta skuid ${kubeletUid} ${ip} daddr @${probeSet(family)} snat ${ip} to ${source}`;
  });
  // Just before srcnat (100), where others masquerade.
  const chain = `  chain postrouting {\n    type nat hook postrouting priority 99; policy accept;\n${rules.join('\n')}\n  }`;
  return `${NFT_HOST_REMOVAL}table inet ${NFT_HOST_TABLE} {\n${sets.join('\n')}\n${chain}\n}\n`;
}

function nftElement(ip: string, uid: string): string {
  return `${ip} comment "${commentText(uid)}"`;
}

/** The input of `nft -f -` that gives an entry to a pod; an older one is replaced, its comment too. */
export function nftAddScript(ip: string, uid: string): string {
  const set = `inet ${NFT_HOST_TABLE} ${probeSet(familyOf(ip))}`;
  return `add element ${set} { ${ip} }\ndelete element ${set} { ${ip} }\nadd element ${set} { ${nftElement(ip, uid)} }\n`;
}

export function nftDeleteScript(ip: string): string {
  const set = `inet ${NFT_HOST_TABLE} ${probeSet(familyOf(ip))}`;
  return `add element ${set} { ${ip} }\ndelete element ${set} { ${ip} }\n`;
}

/** `add` before `delete` makes that work when the table is absent. */
export const NFT_HOST_REMOVAL = `add table inet ${NFT_HOST_TABLE}\ndelete table inet ${NFT_HOST_TABLE}\n`;
