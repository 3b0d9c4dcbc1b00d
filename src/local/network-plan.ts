/**
 * Which addresses the local mesh uses: a backbone that joins the nodes, and one pod network per node.
 *
 * | | IPv4 | IPv6 |
 * |---|---|---|
 * | control plane | 10.240.0.1 | fd00:240::1 |
 * | node N | 10.240.0.(10+N) | fd00:240::(10+N, hexadecimal) |
 * | pods of node N | 10.244.N.0/24 | fd00:244:N::/64 |
 * | DNS for pods | 10.96.0.10 | - |
 */
import { AmbitError } from '../base/errors.ts';
import { canonicalIp, type IpAddress } from '../model/address.ts';

export const CONTROL_ADDRESS = '10.240.0.1';
export const CONTROL_ADDRESS_V6 = 'fd00:240::1';
export const DNS_ADDRESS = '10.96.0.10';
/** Where probes come from; the rules in pods let these addresses pass (facts ztunnel-wire 2.3). */
export const PROBE_ADDRESS_V4 = '169.254.7.127';
export const PROBE_ADDRESS_V6 = 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff';
export const MAX_NODES = 64;
const MAX_PODS_PER_NODE = 250;

export interface NodePlan {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly address: IpAddress;
  readonly addressV6: IpAddress;
  /** First address of the pod network: the gateway of its pods. */
  readonly gateway: IpAddress;
  readonly gatewayV6: IpAddress;
  readonly podCidr: string;
  readonly podCidrV6: string;
}

/** The addresses of a node. @param number from 1 to MAX_NODES */
export function planNode(name: string, number: number): NodePlan {
  const hex = number.toString(16);
  return {
    name,
    number,
    address: canonicalIp(`10.240.0.${10 + number}`),
    addressV6: canonicalIp(`fd00:240::${(10 + number).toString(16)}`),
    gateway: canonicalIp(`10.244.${number}.1`),
    gatewayV6: canonicalIp(`fd00:244:${hex}::1`),
    podCidr: `10.244.${number}.0/24`,
    podCidrV6: `fd00:244:${hex}::/64`,
  };
}

export interface PodAddresses {
  /** Last part of both addresses; unique on the node. */
  readonly host: number;
  readonly ipv4: IpAddress;
  readonly ipv6: IpAddress;
}

/** Hands out the pod addresses of one node; a freed address is used again as late as possible. */
export class PodAddressPool {
  readonly #node: NodePlan;
  readonly #taken = new Set<number>();
  #last = 1;

  constructor(node: NodePlan) {
    this.#node = node;
  }

  /** @throws AmbitError NODE_FULL */
  allocate(): PodAddresses {
    for (let tries = 0; tries < MAX_PODS_PER_NODE; tries++) {
      this.#last = this.#last > MAX_PODS_PER_NODE ? 2 : this.#last + 1;
      if (this.#taken.has(this.#last)) continue;
      this.#taken.add(this.#last);
      return this.#addresses(this.#last);
    }
    throw new AmbitError('NODE_FULL', `node ${this.#node.name} has ${MAX_PODS_PER_NODE} pods: use more --nodes`);
  }

  release({ host }: PodAddresses): void {
    this.#taken.delete(host);
  }

  #addresses(host: number): PodAddresses {
    const { number } = this.#node;
    return {
      host,
      ipv4: canonicalIp(`10.244.${number}.${host}`),
      ipv6: canonicalIp(`fd00:244:${number.toString(16)}::${host.toString(16)}`),
    };
  }
}
