/** Where an endpoint is, for people: the address that connections to it go to. */
import { formatAddress } from '../model/address.ts';
import { allowsFamily } from '../model/service.ts';
import type { Endpoint } from './upstreams.ts';

/** `ip:port`; with the name of the host for an endpoint that is known by name only. */
export function endpointAddress({ workload, port, service }: Endpoint): string {
  const ip = workload.addresses.find((address) => allowsFamily(service?.ipFamilies, address));
  return formatAddress(ip ?? workload.hostname, port);
}
