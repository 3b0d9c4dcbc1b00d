/**
 * Where a captured connection goes (facts ztunnel-wire 6.1, 6.6): to a waypoint, through a network gateway, straight to
 * a workload in a tunnel or in plain TCP, or past the mesh.
 *
 * Invariants:
 * - A waypoint that is named but cannot be resolved is an error, never a way round it.
 * - The order of questions differs on purpose: workload before service for the waypoint decision, service before
 *   workload for the upstream.
 */
import { fail, ok, type Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { EndpointPicker } from '../mesh/endpoint-picker.ts';
import { findAddress, serviceByAddress } from '../mesh/find-service.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { formatAddress, type IpAddress } from '../model/address.ts';
import { formatGatewayDestination, type GatewayAddress, HBONE_PORT, hostnameKey } from '../model/gateway-address.ts';
import { allowsFamily, type Service } from '../model/service.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';

/** Where to connect: an address, or a DNS name that has to be asked for when the connection is made. */
export type DialTarget =
  | { readonly kind: 'address'; readonly ip: IpAddress; readonly port: number }
  | {
      readonly kind: 'hostname';
      readonly hostname: string;
      readonly families: Service['ipFamilies'];
      readonly port: number;
    };

/** One way to carry a connection. `workload` and `service` describe the destination in logs and metrics. */
export type OutboundRoute =
  | {
      readonly kind: 'passthrough';
      readonly target: DialTarget;
      readonly workload: undefined;
      readonly service: Service | undefined;
    }
  | {
      readonly kind: 'tcp';
      readonly target: DialTarget;
      readonly workload: Workload;
      readonly service: Service | undefined;
    }
  | {
      readonly kind: 'hbone';
      /** The tunnel's other end: the workload itself, or its waypoint. */
      readonly target: DialTarget;
      /** The `:authority` of the CONNECT request; undefined when the target's own address has to be resolved first. */
      readonly authority: string | undefined;
      readonly authorityPort: number;
      readonly identities: readonly SpiffeId[];
      readonly workload: Workload;
      readonly service: Service | undefined;
    }
  | {
      readonly kind: 'double-hbone';
      readonly target: DialTarget;
      readonly authority: string;
      readonly gatewayIdentities: readonly SpiffeId[];
      readonly identities: readonly SpiffeId[];
      readonly workload: Workload;
      readonly service: Service;
    };

/** Where a client wants to go. */
export interface Destination {
  readonly ip: IpAddress;
  readonly port: number;
}

interface Upstream {
  readonly workload: Workload;
  readonly targetPort: number;
  readonly service: Service | undefined;
}

export interface ResolverOptions {
  /** The network this proxy is on. */
  readonly network: string;
  /** The port on which workloads take tunnels; default 15008. */
  readonly tunnelPort?: number;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
}

export class DestinationResolver {
  readonly #state: MeshState;
  readonly #options: ResolverOptions;
  readonly #picker: EndpointPicker;

  constructor(state: MeshState, options: ResolverOptions) {
    this.#state = state;
    this.#options = options;
    this.#picker = new EndpointPicker(state, options.random);
  }

  /**
   * Decides over one connection of `source` to `destination`.
   * @param missing gets the feed's key of a waypoint or gateway that is not known and therefore an error
   */
  resolve(source: Workload, destination: Destination, missing?: string[]): Result<OutboundRoute, ProxyError> {
    const owner = findAddress(this.#state, this.#options.network, destination.ip, source.namespace);
    if (owner?.kind === 'service') {
      const waypoint = this.#chooseWaypoint(owner.service);
      if (waypoint !== undefined) return this.#toServiceWaypoint(source, owner.service, waypoint, destination, missing);
    }
    const found = this.#findUpstream(source, destination);
    if (!found.ok) return found;
    const upstream = found.value;
    if (upstream === undefined) return ok(this.#passthrough(source, destination));
    if (upstream.workload.network !== source.network) {
      return this.#throughGateway(source, upstream, destination.port, missing);
    }
    const { waypoint } = upstream.workload;
    const serviceAddressed = upstream.service !== undefined;
    if (!serviceAddressed && waypoint !== undefined && !this.#isWaypoint(source, waypoint)) {
      return this.#toWorkloadWaypoint(source, upstream, waypoint, destination, missing);
    }
    return this.#direct(upstream, destination);
  }

  #chooseWaypoint(service: Service): GatewayAddress | undefined {
    const total = service.weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0);
    let point = this.#options.random() * total;
    for (const { destination, weight } of service.weightedWaypoints) {
      if (weight > 0 && point < weight) return destination;
      point -= weight;
    }
    return service.waypoint;
  }

  #toServiceWaypoint(
    source: Workload,
    service: Service,
    waypoint: GatewayAddress,
    destination: Destination,
    missing: string[] | undefined,
  ): Result<OutboundRoute, ProxyError> {
    const upstream = this.#gatewayUpstream(source, waypoint);
    if (upstream === undefined) return fail(unknownWaypoint(waypoint, missing));
    if (upstream.workload.network !== source.network) {
      return this.#throughGateway(source, { ...upstream, service }, destination.port, missing);
    }
    return this.#tunnelTo(upstream, destination, service);
  }

  #toWorkloadWaypoint(
    source: Workload,
    upstream: Upstream,
    waypoint: GatewayAddress,
    destination: Destination,
    missing: string[] | undefined,
  ): Result<OutboundRoute, ProxyError> {
    const gateway = this.#gatewayUpstream(source, waypoint);
    if (gateway === undefined) return fail(unknownWaypoint(waypoint, missing));
    return this.#tunnelTo(gateway, destination, upstream.service);
  }

  /** A tunnel to a waypoint: the authority stays the original destination. */
  #tunnelTo(
    gateway: Upstream,
    destination: Destination,
    service: Service | undefined,
  ): Result<OutboundRoute, ProxyError> {
    const target = dialTarget(gateway, destination.ip, gateway.targetPort);
    if (target === undefined) return fail(noAddress(gateway.workload));
    return ok({
      kind: 'hbone',
      target,
      authority: formatAddress(destination.ip, destination.port),
      authorityPort: destination.port,
      identities: acceptedIdentities(gateway),
      workload: gateway.workload,
      service,
    });
  }

  #direct(upstream: Upstream, destination: Destination): Result<OutboundRoute, ProxyError> {
    const { workload, service, targetPort } = upstream;
    const tunnelled = workload.protocol === 'HBONE';
    const target = dialTarget(
      upstream,
      destination.ip,
      tunnelled ? (this.#options.tunnelPort ?? HBONE_PORT) : targetPort,
    );
    if (target === undefined) return fail(noAddress(workload));
    if (!tunnelled) return ok({ kind: 'tcp', target, workload, service });
    const authority = target.kind === 'address' ? formatAddress(target.ip, targetPort) : undefined;
    const identities = acceptedIdentities(upstream);
    return ok({ kind: 'hbone', target, authority, authorityPort: targetPort, identities, workload, service });
  }

  #throughGateway(
    source: Workload,
    upstream: Upstream,
    servicePort: number,
    missing: string[] | undefined,
  ): Result<OutboundRoute, ProxyError> {
    const { workload, service } = upstream;
    if (service === undefined) {
      const [ip] = workload.addresses;
      return fail(proxyError('NO_SERVICE_FOR_TARGET', `no service for target address: ${ip ?? workload.uid}`));
    }
    const address = workload.networkGateway;
    const gateway = address && this.#gatewayUpstream(source, address);
    const target = gateway && dialTarget(gateway, gateway.workload.addresses[0], gateway.targetPort);
    if (gateway === undefined || target === undefined) {
      const name = address === undefined ? workload.uid : formatGatewayDestination(address);
      if (address !== undefined) missing?.push(name);
      return fail(proxyError('UNKNOWN_NETWORK_GATEWAY', `unknown network gateway: ${name}`));
    }
    return ok({
      kind: 'double-hbone',
      target,
      authority: `${service.hostname}:${servicePort}`,
      gatewayIdentities: acceptedIdentities(gateway),
      identities: service.subjectAltNames as readonly SpiffeId[],
      workload,
      service,
    });
  }

  /** The workload behind a waypoint's or network gateway's address, and its tunnel port. */
  #gatewayUpstream(source: Workload, gateway: GatewayAddress): Upstream | undefined {
    const { destination, hboneMtlsPort } = gateway;
    const port = hboneMtlsPort === 0 ? HBONE_PORT : hboneMtlsPort;
    if (destination.kind === 'hostname') {
      const { namespace, hostname } = destination.hostname;
      const service = this.#state.service(hostnameKey(namespace, hostname));
      if (service !== undefined) return this.#servicePick(source, service, port);
      const [workload] = this.#state.workloadsByHostname(hostname);
      return workload && { workload, targetPort: port, service: undefined };
    }
    const { network, address } = destination.address;
    const owner = findAddress(this.#state, network, address, source.namespace);
    if (owner?.kind === 'workload') return { workload: owner.workload, targetPort: port, service: undefined };
    return owner && this.#servicePick(source, owner.service, port);
  }

  #servicePick(source: Workload, service: Service, port: number): Upstream | undefined {
    const picked = this.#picker.pick(service, port, source, 'waypoint');
    return picked && { workload: picked.workload, targetPort: picked.targetPort, service };
  }

  /** Service first, then workload. A value of undefined means that the destination is none of ours. */
  #findUpstream(source: Workload, destination: Destination): Result<Upstream | undefined, ProxyError> {
    const { network } = this.#options;
    const service = serviceByAddress(this.#state, network, destination.ip, source.namespace);
    if (service === undefined) {
      const workload = this.#state.workloadByAddress(network, destination.ip);
      return ok(workload && { workload, targetPort: destination.port, service: undefined });
    }
    if (service.loadBalancer?.mode === 'Passthrough') return ok(undefined);
    const picked = this.#picker.pick(service, destination.port, source, 'standard');
    if (picked !== undefined) return ok({ workload: picked.workload, targetPort: picked.targetPort, service });
    const target = formatAddress(destination.ip, destination.port);
    return fail(proxyError('NO_HEALTHY_UPSTREAM', `no healthy upstream: ${target}`));
  }

  #passthrough(source: Workload, destination: Destination): OutboundRoute {
    const service = serviceByAddress(this.#state, this.#options.network, destination.ip, source.namespace);
    return { kind: 'passthrough', target: { kind: 'address', ...destination }, workload: undefined, service };
  }

  /** Whether the caller is an endpoint of this waypoint: same identity and one of its addresses. */
  #isWaypoint(source: Workload, waypoint: GatewayAddress): boolean {
    const isSource = (workload: Workload) =>
      workloadIdentity(workload) === workloadIdentity(source) &&
      workload.addresses.some((ip) => source.addresses.includes(ip));
    const { destination } = waypoint;
    if (destination.kind === 'hostname') {
      const { namespace, hostname } = destination.hostname;
      const endpoint = this.#state.endpoints(hostnameKey(namespace, hostname)).get(source.uid);
      return endpoint !== undefined && isSource(endpoint.workload);
    }
    const owner = findAddress(this.#state, destination.address.network, destination.address.address, source.namespace);
    if (owner?.kind === 'workload') return isSource(owner.workload);
    return (
      owner !== undefined &&
      this.#state.endpoints(hostnameKey(owner.service.namespace, owner.service.hostname)).has(source.uid)
    );
  }
}

/** The original address when the workload has it, else one of the allowed family, else its DNS name (facts 6.5). */
function dialTarget(upstream: Upstream, original: IpAddress | undefined, port: number): DialTarget | undefined {
  const { workload, service } = upstream;
  const families = service?.ipFamilies;
  const allowed = workload.addresses.filter((ip) => allowsFamily(families, ip));
  const ip =
    workload.addresses.find((candidate) => candidate === original) ??
    allowed.find((candidate) => original !== undefined && candidate.includes(':') === original.includes(':')) ??
    allowed[0];
  if (ip !== undefined) return { kind: 'address', ip, port };
  return workload.hostname === '' ? undefined : { kind: 'hostname', hostname: workload.hostname, families, port };
}

function acceptedIdentities({ workload, service }: Upstream): readonly SpiffeId[] {
  const own = workloadIdentity(workload);
  return service === undefined ? [own] : [own, ...(service.subjectAltNames as readonly SpiffeId[])];
}

/** The text of a gateway's destination is the feed's key of it (facts ztunnel-wire 5.3). */
function unknownWaypoint(waypoint: GatewayAddress, missing: string[] | undefined): ProxyError {
  const key = formatGatewayDestination(waypoint);
  missing?.push(key);
  return proxyError('UNKNOWN_WAYPOINT', `unknown waypoint: ${key}`);
}

function noAddress(workload: Workload): ProxyError {
  return proxyError('NO_RESOLVED_ADDRESS', `no ip addresses were resolved for workload: ${workload.uid}`);
}
