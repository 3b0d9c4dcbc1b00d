/** The `forwarded` header of tunnels (RFC 7239; facts ztunnel-wire 7.2): telemetry only, never policy. */
import { formatAddress } from '../model/address.ts';

const MAX_HOST_LENGTH = 255;

/** `for="ip:port"`, and `;host=<service>` when the destination is a service. */
export function formatForwarded(clientIp: string, clientPort: number, serviceHostname: string | undefined): string {
  const host = serviceHostname === undefined ? '' : `;host=${serviceHostname}`;
  return `for="${formatAddress(clientIp, clientPort)}"${host}`;
}

/** The `host` of the first element, or undefined. */
export function forwardedHost(header: string): string | undefined {
  const [element = ''] = header.split(',', 1);
  for (const pair of element.split(';', 8)) {
    const [name = '', value = ''] = pair.split('=', 2);
    if (name.trim().toLowerCase() !== 'host') continue;
    const host = value.trim().replace(/^"(.*)"$/, '$1');
    return host.length > 0 && host.length <= MAX_HOST_LENGTH ? host : undefined;
  }
  return undefined;
}
