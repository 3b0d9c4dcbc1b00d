/** Addresses of workloads that the feed names by hostname, asked for when a connection needs them (facts 6.5, 12). */
import { Resolver } from 'node:dns/promises';
import type { LRUCache } from 'lru-cache';
import { type IpAddress, parseIpAddress } from '../model/address.ts';
import type { Service } from '../model/service.ts';
import { allowsFamily } from '../model/service.ts';

/** One answered address with its remaining life. */
export interface ResolvedAddress {
  readonly address: string;
  readonly ttlSec: number;
}

/** Asks DNS for all addresses of a name; rejects when there is none. */
export type LookupAddresses = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface HostnameResolver {
  /** A random address of the preferred family, then of the other; undefined when there is none. */
  resolve(hostname: string, families: Service['ipFamilies'], preferV6: boolean): Promise<IpAddress | undefined>;
}

export interface HostnameResolverDeps {
  readonly lookup: LookupAddresses;
  readonly cache: LRUCache<string, readonly IpAddress[]>;
  readonly random: () => number;
}

/** Names kept at once (facts ztunnel-wire 12). */
export const HOSTNAME_CACHE_ENTRIES = 4096;
const MIN_TTL_MS = 1000;

/** Asks the resolvers of this process's own `/etc/resolv.conf`, both families at once. */
export function systemLookup(): LookupAddresses {
  const dns = new Resolver();
  return async (hostname) => {
    const answers = await Promise.allSettled([
      dns.resolve4(hostname, { ttl: true }),
      dns.resolve6(hostname, { ttl: true }),
    ]);
    return answers
      .flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      .map(({ address, ttl }) => ({ address, ttlSec: ttl }));
  };
}

/** A resolver that keeps answers as long as their records say. */
export function createHostnameResolver(deps: HostnameResolverDeps): HostnameResolver {
  const addressesOf = async (hostname: string): Promise<readonly IpAddress[]> => {
    const cached = deps.cache.get(hostname);
    if (cached !== undefined) return cached;
    const answers = await deps.lookup(hostname);
    const addresses = answers.flatMap(({ address }) => parseIpAddress(address) ?? []);
    const ttlMs = Math.max(MIN_TTL_MS, Math.min(...answers.map(({ ttlSec }) => ttlSec * 1000)));
    if (addresses.length > 0) deps.cache.set(hostname, addresses, { ttl: ttlMs });
    return addresses;
  };
  return {
    async resolve(hostname, families, preferV6) {
      let addresses: readonly IpAddress[];
      try {
        addresses = await addressesOf(hostname);
      } catch {
        // The caller reports a name without addresses; the resolver's own text adds nothing.
        return undefined;
      }
      const allowed = addresses.filter((ip) => allowsFamily(families, ip));
      const preferred = allowed.filter((ip) => ip.includes(':') === preferV6);
      const choice = preferred.length > 0 ? preferred : allowed;
      return choice[Math.floor(deps.random() * choice.length)];
    },
  };
}
