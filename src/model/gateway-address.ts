/** How the feed names a waypoint or a network gateway, and addresses on a network (facts ztunnel-wire 5.5). */
import type { IpAddress } from './address.ts';

/** The port of HBONE tunnels. */
export const HBONE_PORT = 15008;

/** An address on a named network: IPs are unique per network only. */
export interface NetworkAddress {
  readonly network: string;
  readonly address: IpAddress;
}

/** `<namespace>/<hostname>`. */
export interface NamespacedHostname {
  readonly namespace: string;
  readonly hostname: string;
}

export interface GatewayAddress {
  readonly destination:
    | { readonly kind: 'address'; readonly address: NetworkAddress }
    | { readonly kind: 'hostname'; readonly hostname: NamespacedHostname };
  readonly hboneMtlsPort: number;
}

/** The map key of an address on a network, `<network>/<ip>`. */
export function networkAddressKey(network: string, ip: IpAddress): string {
  return `${network}/${ip}`;
}

/** The map key of a hostname in a namespace, `<namespace>/<hostname>`. */
export function hostnameKey(namespace: string, hostname: string): string {
  return `${namespace}/${hostname}`;
}

/** The text of a gateway's destination as dumps and errors print it. */
export function formatGatewayDestination(gateway: GatewayAddress): string {
  const { destination } = gateway;
  return destination.kind === 'address'
    ? networkAddressKey(destination.address.network, destination.address.address)
    : hostnameKey(destination.hostname.namespace, destination.hostname.hostname);
}
