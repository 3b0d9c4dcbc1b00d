/**
 * What the control plane told us, indexed for the questions that are asked per connection.
 *
 * Invariants:
 * - Every lookup is by key: nothing here scans workloads, services or policies per connection.
 * - Endpoints live under their service's key whether or not the service is known yet, so the order in which services and
 *   workloads arrive does not matter (facts ztunnel-wire 5.3, "staged").
 * - Workloads of the host network have no address of their own and are not found by address.
 */
import { PolicySet } from '../authz/evaluate.ts';
import type { IpAddress } from '../model/address.ts';
import { networkAddressKey } from '../model/gateway-address.ts';
import { type AuthorizationPolicy, policyKey } from '../model/policy.ts';
import { createPolicyTally, type PolicyTally } from '../model/policy-tally.ts';
import { type Service, serviceKey } from '../model/service.ts';
import type { PortMap, Workload } from '../model/workload.ts';
import { CidrVipIndex } from './cidr-vip-index.ts';
import { MultiMap } from './multi-map.ts';

/** One change of the feed. */
export type StateChange =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service }
  | { readonly kind: 'policy'; readonly policy: AuthorizationPolicy }
  | { readonly kind: 'remove-address'; readonly name: string }
  | { readonly kind: 'remove-policy'; readonly name: string };

/** A workload as one endpoint of a service. */
export interface Endpoint {
  readonly workload: Workload;
  readonly ports: PortMap;
}

/** A policy that applies, with how often it did. */
export interface PolicyInForce extends AuthorizationPolicy {
  readonly tally: PolicyTally;
}

/** What policies say of a workload; the same object until one of them changes. */
export interface PoliciesOfWorkload {
  readonly policies: readonly PolicyInForce[];
  /** Listed by the workload, and not known. */
  readonly missing: readonly string[];
  /** Decides by those that are known. */
  readonly inForce: PolicySet<PolicyInForce>;
}

const NO_ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map();

export class MeshState {
  readonly #workloads = new Map<string, Workload>();
  readonly #workloadsByAddress = new MultiMap<Workload>();
  readonly #workloadsByHostname = new MultiMap<Workload>();
  readonly #workloadsByName = new MultiMap<Workload>();
  readonly #services = new Map<string, Service>();
  readonly #servicesByVip = new MultiMap<Service>();
  readonly #servicesByHostname = new MultiMap<Service>();
  readonly #cidrVips = new CidrVipIndex();
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();
  readonly #policies = new Map<string, PolicyInForce>();
  readonly #policiesByNamespace = new MultiMap<PolicyInForce>();
  /** What was asked for since policies changed last. */
  #policiesByWorkload = new WeakMap<Workload, PoliciesOfWorkload>();
  readonly #listeners = new Set<(changes: readonly StateChange[]) => void>();
  /** Per service key the number of its last change; numbers are never used twice, so derived data can be kept with one. */
  readonly #revisions = new Map<string, number>();
  #lastRevision = 0;

  /** Applies one push as a whole; removals go before insertions. Then tells the listeners. */
  apply(changes: readonly StateChange[]): void {
    for (const change of changes) this.#applyRemoval(change);
    for (const change of changes) this.#applyUpsert(change);
    for (const listener of this.#listeners) listener(changes);
  }

  /** Calls `listener` after each applied push, until the returned function is called. */
  onChange(listener: (changes: readonly StateChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  workload(uid: string): Workload | undefined {
    return this.#workloads.get(uid);
  }

  /** The workload that owns the address: pods before other kinds, tunnel before plain TCP (facts 6.2). */
  workloadByAddress(network: string, ip: IpAddress): Workload | undefined {
    const owners = this.#workloadsByAddress.get(networkAddressKey(network, ip));
    if (owners.length <= 1) return owners[0];
    return [...owners].sort((a, b) => workloadPreference(b) - workloadPreference(a))[0];
  }

  /** The workloads whose address is this DNS name. */
  workloadsByHostname(hostname: string): readonly Workload[] {
    return this.#workloadsByHostname.get(hostname);
  }

  /** The workloads of this name; more than one when clusters share the mesh. */
  workloadsByName(namespace: string, name: string): readonly Workload[] {
    return this.#workloadsByName.get(`${namespace}/${name}`);
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** All services that own the address exactly. */
  servicesByVip(network: string, ip: IpAddress): readonly Service[] {
    return this.#servicesByVip.get(networkAddressKey(network, ip));
  }

  /** All services that own a block with the address, with the prefix length of that block. */
  servicesByCidr(network: string, ip: IpAddress): readonly { service: Service; prefixLength: number }[] {
    return this.#cidrVips.lookup(network, ip);
  }

  servicesByHostname(hostname: string): readonly Service[] {
    return this.#servicesByHostname.get(hostname);
  }

  /** The endpoints of a service by workload uid. */
  endpoints(key: string): ReadonlyMap<string, Endpoint> {
    return this.#endpoints.get(key) ?? NO_ENDPOINTS;
  }

  /** A number that changes whenever the service or an endpoint of it does. */
  revision(key: string): number {
    return this.#revisions.get(key) ?? 0;
  }

  policy(key: string): PolicyInForce | undefined {
    return this.#policies.get(key);
  }

  /**
   * The policies in force for a workload: those of the mesh, of its namespace, and those that select it. A listed policy
   * that is not known is reported in `missing`.
   */
  policiesFor(workload: Workload): PoliciesOfWorkload {
    let found = this.#policiesByWorkload.get(workload);
    if (found === undefined) {
      found = this.#findPolicies(workload);
      this.#policiesByWorkload.set(workload, found);
    }
    return found;
  }

  #findPolicies(workload: Workload): PoliciesOfWorkload {
    const policies = [...this.#policiesByNamespace.get(''), ...this.#policiesByNamespace.get(workload.namespace)];
    const missing: string[] = [];
    for (const key of workload.authorizationPolicies) {
      const policy = this.#policies.get(key);
      if (policy === undefined) missing.push(key);
      else policies.push(policy);
    }
    return { policies, missing, inForce: new PolicySet(policies) };
  }

  workloads(): IterableIterator<Workload> {
    return this.#workloads.values();
  }

  services(): IterableIterator<Service> {
    return this.#services.values();
  }

  policies(): IterableIterator<PolicyInForce> {
    return this.#policies.values();
  }

  /** Endpoints whose service is not known, by service key. */
  *stagedEndpoints(): IterableIterator<[string, ReadonlyMap<string, Endpoint>]> {
    for (const entry of this.#endpoints) if (!this.#services.has(entry[0])) yield entry;
  }

  #applyRemoval(change: StateChange): void {
    if (change.kind === 'remove-policy') this.#removePolicy(change.name);
    else if (change.kind === 'remove-address' && !this.#removeWorkload(change.name)) this.#removeService(change.name);
  }

  #applyUpsert(change: StateChange): void {
    if (change.kind === 'workload') this.#upsertWorkload(change.workload);
    else if (change.kind === 'service') this.#upsertService(change.service);
    else if (change.kind === 'policy') this.#upsertPolicy(change.policy);
  }

  #upsertWorkload(workload: Workload): void {
    this.#removeWorkload(workload.uid);
    this.#workloads.set(workload.uid, workload);
    if (workload.networkMode === 'Standard') {
      for (const ip of workload.addresses) {
        this.#workloadsByAddress.add(networkAddressKey(workload.network, ip), workload);
      }
    }
    if (workload.hostname !== '') this.#workloadsByHostname.add(workload.hostname, workload);
    this.#workloadsByName.add(`${workload.namespace}/${workload.name}`, workload);
    for (const [key, ports] of workload.services) {
      const endpoints = this.#endpoints.get(key) ?? new Map<string, Endpoint>();
      endpoints.set(workload.uid, { workload, ports });
      this.#endpoints.set(key, endpoints);
      this.#touch(key);
    }
  }

  #removeWorkload(uid: string): boolean {
    const workload = this.#workloads.get(uid);
    if (workload === undefined) return false;
    this.#workloads.delete(uid);
    for (const ip of workload.addresses) {
      this.#workloadsByAddress.remove(networkAddressKey(workload.network, ip), workload);
    }
    this.#workloadsByHostname.remove(workload.hostname, workload);
    this.#workloadsByName.remove(`${workload.namespace}/${workload.name}`, workload);
    for (const key of workload.services.keys()) {
      const endpoints = this.#endpoints.get(key);
      endpoints?.delete(uid);
      if (endpoints?.size === 0) this.#endpoints.delete(key);
      this.#touch(key);
    }
    return true;
  }

  #upsertService(service: Service): void {
    const key = serviceKey(service);
    this.#removeService(key);
    this.#services.set(key, service);
    this.#servicesByHostname.add(service.hostname, service);
    for (const vip of service.vips) this.#servicesByVip.add(networkAddressKey(vip.network, vip.address), service);
    for (const vip of service.cidrVips) this.#cidrVips.add(vip, service);
    this.#touch(key);
  }

  #removeService(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    this.#servicesByHostname.remove(service.hostname, service);
    for (const vip of service.vips) this.#servicesByVip.remove(networkAddressKey(vip.network, vip.address), service);
    for (const vip of service.cidrVips) this.#cidrVips.remove(vip, service);
    this.#touch(key);
  }

  #upsertPolicy(policy: AuthorizationPolicy): void {
    this.#policiesByWorkload = new WeakMap();
    const key = policyKey(policy);
    const inForce = { ...policy, tally: keptTally(this.#policies.get(key), policy) };
    this.#removePolicy(key);
    this.#policies.set(key, inForce);
    const index = indexNamespace(policy);
    if (index !== undefined) this.#policiesByNamespace.add(index, inForce);
  }

  #removePolicy(key: string): void {
    const policy = this.#policies.get(key);
    if (policy === undefined) return;
    this.#policiesByWorkload = new WeakMap();
    this.#policies.delete(key);
    const index = indexNamespace(policy);
    if (index !== undefined) this.#policiesByNamespace.remove(index, policy);
  }

  #touch(key: string): void {
    if (this.#services.has(key) || this.#endpoints.has(key)) this.#revisions.set(key, ++this.#lastRevision);
    else this.#revisions.delete(key);
  }
}

/** Counting goes on while a policy means the same by a hit. */
function keptTally(before: PolicyInForce | undefined, { action, dryRun }: AuthorizationPolicy): PolicyTally {
  return before?.action === action && before.dryRun === dryRun ? before.tally : createPolicyTally();
}

/** Global policies are indexed under the empty namespace whatever their own says (facts 9.3). */
function indexNamespace(policy: AuthorizationPolicy): string | undefined {
  if (policy.scope === 'Global') return '';
  return policy.scope === 'Namespace' ? policy.namespace : undefined;
}

function workloadPreference(workload: Workload): number {
  return (workload.uid.includes('//Pod/') ? 2 : 0) + (workload.protocol === 'HBONE' ? 1 : 0);
}
