/** CIDR blocks that services own: one hash lookup per prefix length in use, longest first. */
import { type IpAddress, ipFromBytes, ipToBytes, makeCidr } from '../model/address.ts';
import type { CidrVip, Service } from '../model/service.ts';
import { MultiMap } from './multi-map.ts';

export class CidrVipIndex {
  readonly #services = new MultiMap<Service>();
  /** How many blocks have each prefix length: lengths without a block are not looked up. */
  readonly #lengths = new Map<number, number>();

  add(vip: CidrVip, service: Service): void {
    this.#services.add(blockKey(vip.network, vip.cidr.bytes, vip.cidr.prefixLength), service);
    this.#lengths.set(vip.cidr.prefixLength, (this.#lengths.get(vip.cidr.prefixLength) ?? 0) + 1);
  }

  remove(vip: CidrVip, service: Service): void {
    const { bytes, prefixLength } = vip.cidr;
    this.#services.remove(blockKey(vip.network, bytes, prefixLength), service);
    const left = (this.#lengths.get(prefixLength) ?? 1) - 1;
    if (left > 0) this.#lengths.set(prefixLength, left);
    else this.#lengths.delete(prefixLength);
  }

  /** The services of every block that holds the address, longest prefix first. */
  lookup(network: string, ip: IpAddress): readonly { service: Service; prefixLength: number }[] {
    if (this.#lengths.size === 0) return [];
    const address = ipToBytes(ip);
    return [...this.#lengths.keys()]
      .sort((a, b) => b - a)
      .flatMap((prefixLength) => {
        const block = makeCidr(address, prefixLength);
        if (block === undefined) return [];
        const services = this.#services.get(blockKey(network, block.bytes, prefixLength));
        return services.map((service) => ({ service, prefixLength }));
      });
  }
}

function blockKey(network: string, bytes: Uint8Array, prefixLength: number): string {
  return `${network}/${ipFromBytes(bytes) ?? ''}/${prefixLength}`;
}
