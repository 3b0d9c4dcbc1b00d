/**
 * Virtual addresses for services that name none: deterministic by owner, so that a restart gives the same address, and
 * stable while running.
 *
 * Invariants:
 * - Two owners never hold one address at a time; an address that a manifest claims is never handed out, and an owner
 *   that holds it loses it to the claim.
 * - The first and the last address of the range are not used.
 */
import { createHash } from 'node:crypto';
import { type IpAddress, ipFromBytes, ipToBytes, parseIpAddress } from '../model/address.ts';

export interface VipRange {
  /** First address of the block. */
  readonly base: string;
  /** How many low bits vary; at most 32. */
  readonly hostBits: number;
}

/** ClusterIPs, as kubeadm sets them up. */
export const CLUSTER_IPV4: VipRange = { base: '10.96.0.0', hostBits: 16 };
export const CLUSTER_IPV6: VipRange = { base: 'fd00:10:96::', hostBits: 16 };
/** Addresses of ServiceEntries (facts ztunnel-wire 5.8). */
export const SERVICE_ENTRY_IPV4: VipRange = { base: '240.240.0.0', hostBits: 16 };
export const SERVICE_ENTRY_IPV6: VipRange = { base: '2001:2::', hostBits: 32 };

export class VipAllocator {
  readonly #baseBytes: Uint8Array;
  readonly #size: number;
  readonly #byOwner = new Map<string, IpAddress>();
  readonly #ownerOf = new Map<IpAddress, string>();
  /** Addresses that manifests name, with the objects that do. */
  readonly #claims = new Map<IpAddress, Set<string>>();

  constructor(range: VipRange) {
    const base = parseIpAddress(range.base);
    this.#baseBytes = base === undefined ? new Uint8Array(4) : ipToBytes(base);
    this.#size = 2 ** range.hostBits;
  }

  /** The address of an owner; undefined when the range is full. */
  allocate(owner: string): IpAddress | undefined {
    const held = this.#byOwner.get(owner);
    if (held !== undefined) return held;
    const start = this.#hash(owner);
    const usable = this.#size - 2;
    const tries = Math.min(usable, this.#ownerOf.size + this.#claims.size + 1);
    for (let step = 0; step < tries; step++) {
      const address = this.#addressAt(1 + ((start + step) % usable));
      if (this.#ownerOf.has(address) || this.#claims.has(address)) continue;
      this.#byOwner.set(owner, address);
      this.#ownerOf.set(address, owner);
      return address;
    }
    return undefined;
  }

  /** Gives an owner's address back. */
  release(owner: string): void {
    const address = this.#byOwner.get(owner);
    if (address === undefined) return;
    this.#byOwner.delete(owner);
    this.#ownerOf.delete(address);
  }

  /** Notes that a manifest names the address. @returns the owner who lost it and needs another one */
  claim(address: IpAddress, claimant: string): string | undefined {
    const claimants = this.#claims.get(address) ?? new Set();
    claimants.add(claimant);
    this.#claims.set(address, claimants);
    const owner = this.#ownerOf.get(address);
    if (owner === undefined || owner === claimant) return undefined;
    this.release(owner);
    return owner;
  }

  /** Takes a claim back. */
  unclaim(address: IpAddress, claimant: string): void {
    const claimants = this.#claims.get(address);
    claimants?.delete(claimant);
    if (claimants?.size === 0) this.#claims.delete(address);
  }

  #hash(owner: string): number {
    return createHash('sha256').update(owner).digest().readUInt32BE(0);
  }

  #addressAt(host: number): IpAddress {
    const bytes = Buffer.from(this.#baseBytes);
    const offset = bytes.length - 4;
    bytes.writeUInt32BE((bytes.readUInt32BE(offset) + host) >>> 0, offset);
    // 4 or 16 bytes always are an address.
    return ipFromBytes(bytes) as IpAddress;
  }
}
