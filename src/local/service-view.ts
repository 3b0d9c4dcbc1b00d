/** Services and their endpoints as the control plane sees them: the source of VIP rules and of names. */
import { type IpAddress, isV4 } from '../model/address.ts';
import type { AddressResource } from '../model/feed-decode.ts';
import { allowsFamily, type Service, serviceKey } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';

/** An endpoint of one service port. */
export interface VipTarget {
  readonly address: IpAddress;
  readonly port: number;
}

/** One virtual address and port, and where its connections go. */
export interface VirtualEndpoint {
  readonly protocol: 'tcp' | 'udp';
  readonly vip: IpAddress;
  readonly port: number;
  readonly targets: readonly VipTarget[];
}

export class ServiceView {
  readonly #services = new Map<string, Service>();
  readonly #keysByHostname = new Map<string, string>();
  readonly #workloads = new Map<string, Workload>();
  /** By service key the uids of its workloads. */
  readonly #members = new Map<string, Set<string>>();

  /** Applies one push of the feed. Names are workload uids or service keys. */
  apply(upserts: readonly AddressResource[], removed: readonly string[]): void {
    for (const name of removed) {
      this.#removeWorkload(name);
      this.#removeService(name);
    }
    for (const resource of upserts) {
      if (resource.kind === 'workload') this.#setWorkload(resource.workload);
      else this.#setService(resource.service);
    }
  }

  /** Addresses of a host name: its virtual ones, or those of its ready endpoints when it has none. */
  lookup(name: string): { readonly addresses: readonly string[] } | undefined {
    const key = this.#keysByHostname.get(name) ?? this.#keysByHostname.get(wildcardOf(name));
    const service = key === undefined ? undefined : this.#services.get(key);
    if (key === undefined || service === undefined) return undefined;
    if (service.vips.length > 0) return { addresses: service.vips.map(({ address }) => address) };
    const own = this.#ready(key, service).flatMap(({ addresses }) => addresses);
    return { addresses: [...new Set(own.filter((ip) => allowsFamily(service.ipFamilies, ip)))] };
  }

  /** Virtual addresses of a host name. */
  vips(hostname: string): readonly IpAddress[] {
    const service = this.#services.get(this.#keysByHostname.get(hostname) ?? '');
    return service?.vips.map(({ address }) => address) ?? [];
  }

  /** Every virtual address and TCP port, in a stable order. */
  virtualEndpoints(): VirtualEndpoint[] {
    const endpoints: VirtualEndpoint[] = [];
    for (const [key, service] of this.#services) {
      const members = this.#ready(key, service);
      for (const { address: vip } of service.vips) {
        for (const port of service.ports.keys()) {
          endpoints.push({ protocol: 'tcp', vip, port, targets: targetsOf(key, vip, port, members) });
        }
      }
    }
    return endpoints.sort((a, b) => (a.vip === b.vip ? a.port - b.port : a.vip < b.vip ? -1 : 1));
  }

  #ready(key: string, service: Service): Workload[] {
    const everyone = service.loadBalancer?.healthPolicy === 'AllowAll';
    const members = [...(this.#members.get(key) ?? [])].sort();
    return members.flatMap((uid) => {
      const workload = this.#workloads.get(uid);
      if (workload === undefined || workload.capacity === 0) return [];
      return everyone || workload.status === 'Healthy' ? [workload] : [];
    });
  }

  #setService(service: Service): void {
    const key = serviceKey(service);
    this.#removeService(key);
    this.#services.set(key, service);
    const rival = this.#services.get(this.#keysByHostname.get(service.hostname) ?? '');
    if (rival === undefined || service.canonical || !rival.canonical) this.#keysByHostname.set(service.hostname, key);
  }

  #removeService(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    if (this.#keysByHostname.get(service.hostname) !== key) return;
    this.#keysByHostname.delete(service.hostname);
    for (const [other, { hostname }] of this.#services) {
      if (hostname === service.hostname) this.#keysByHostname.set(hostname, other);
    }
  }

  #setWorkload(workload: Workload): void {
    this.#removeWorkload(workload.uid);
    this.#workloads.set(workload.uid, workload);
    for (const key of workload.services.keys()) {
      const members = this.#members.get(key);
      if (members === undefined) this.#members.set(key, new Set([workload.uid]));
      else members.add(workload.uid);
    }
  }

  #removeWorkload(uid: string): void {
    const workload = this.#workloads.get(uid);
    if (workload === undefined) return;
    this.#workloads.delete(uid);
    for (const key of workload.services.keys()) {
      const members = this.#members.get(key);
      members?.delete(uid);
      if (members?.size === 0) this.#members.delete(key);
    }
  }
}

function targetsOf(key: string, vip: IpAddress, servicePort: number, members: readonly Workload[]): VipTarget[] {
  return members.flatMap((workload) => {
    const port = workload.services.get(key)?.get(servicePort) ?? 0;
    const address = workload.addresses.find((candidate) => isV4(candidate) === isV4(vip));
    return address === undefined || port === 0 ? [] : [{ address, port }];
  });
}

/** `*.example.com` for `api.example.com`. */
function wildcardOf(name: string): string {
  const dot = name.indexOf('.');
  return dot < 0 ? '' : `*${name.slice(dot)}`;
}
