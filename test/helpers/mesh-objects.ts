/** Objects of the feed for tests on real pods: short forms for services, endpoints, identities, waypoints. */
import assert from 'node:assert/strict';
import { type IpAddress, parseIpAddress } from '../../src/model/address.ts';
import type { GatewayAddress } from '../../src/model/gateway-address.ts';
import { createService, type Service } from '../../src/model/service.ts';
import type { PortMap, Workload } from '../../src/model/workload.ts';

/** The address; fails the test when the text is none. */
export function ip(text: string): IpAddress {
  const address = parseIpAddress(text);
  assert.ok(address, `${text} is no address`);
  return address;
}

/** `{80: 8080}` as the model keeps it. */
export function portMap(ports: Readonly<Record<number, number>>): PortMap {
  return new Map(Object.entries(ports).map(([port, target]) => [Number(port), target]));
}

/** The identity of a service account in `default`. */
export function identityOf(account: string): string {
  return `spiffe://cluster.local/ns/default/sa/${account}`;
}

/** `<name>.default.svc.cluster.local`. */
export function hostnameOf(name: string): string {
  return `${name}.default.svc.cluster.local`;
}

/** A Kubernetes service in `default`. */
export function clusterService(
  name: string,
  vip: string | undefined,
  ports: Readonly<Record<number, number>>,
  fields: Partial<Service> = {},
): Service {
  return createService({
    name,
    namespace: 'default',
    hostname: hostnameOf(name),
    vips: vip === undefined ? [] : [{ network: '', address: ip(vip) }],
    ports: portMap(ports),
    canonical: true,
    ...fields,
  });
}

/** The part of a workload that makes it an endpoint of a service in `default`. */
export function endpointOf(name: string, ports: Readonly<Record<number, number>>): Pick<Workload, 'services'> {
  return { services: new Map([[`default/${hostnameOf(name)}`, portMap(ports)]]) };
}

/** A waypoint or gateway named by its service in `default`. */
export function gatewayByHostname(name: string, hboneMtlsPort = 15008): GatewayAddress {
  return {
    destination: { kind: 'hostname', hostname: { namespace: 'default', hostname: hostnameOf(name) } },
    hboneMtlsPort,
  };
}

/** A waypoint or gateway named by an address. */
export function gatewayByAddress(address: string, network = '', hboneMtlsPort = 15008): GatewayAddress {
  return { destination: { kind: 'address', address: { network, address: ip(address) } }, hboneMtlsPort };
}

/** Whether a call was turned away: an empty answer or an error. */
export async function isRefused(call: Promise<string>): Promise<boolean> {
  try {
    return (await call) === '';
  } catch {
    return true;
  }
}
