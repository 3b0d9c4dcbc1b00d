/** The name servers of a resolver configuration, resolv.conf(5). Search domains and options are not for proxies. */
import { type IpAddress, parseIpAddress } from '../model/address.ts';

/** As many as the C library asks (MAXNS). */
const MAX_NAMESERVERS = 3;

/** The addresses of the `nameserver` lines, each once, at most three. Addresses with a zone are passed over. */
export function parseResolvConf(text: string): readonly IpAddress[] {
  const servers = new Set<IpAddress>();
  for (const line of text.split('\n')) {
    const [keyword, value = ''] = line.trim().split(/\s+/, 2);
    const address = keyword === 'nameserver' ? parseIpAddress(value) : undefined;
    if (address !== undefined && servers.size < MAX_NAMESERVERS) servers.add(address);
  }
  return [...servers];
}
