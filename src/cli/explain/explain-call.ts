/**
 * What becomes of a call, hop by hop, by the very code that decides at each of them: ztunnel's choice of the way, the
 * waypoint's policies and routes, the policies of the endpoint's ztunnel.
 */
import { matchCustom } from '../../authz/custom-policies.ts';
import type { RequestSubject } from '../../authz/request-subject.ts';
import { parseAuthority } from '../../hbone/authority.ts';
import type { HttpHeader } from '../../http/http-stream.ts';
import { EndpointPicker } from '../../mesh/endpoint-picker.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import { isWaypointWorkload } from '../../mesh/waypoint-workload.ts';
import { formatAddress, type IpAddress, parseIpAddress } from '../../model/address.ts';
import { type Identity, principalOf, spiffeId } from '../../model/spiffe.ts';
import type { Workload } from '../../model/workload.ts';
import type { CompiledRoute, ForwardPlan, RouteBackend } from '../../routing/compile-routes.ts';
import { type ConnectTarget, findConnectTarget } from '../../waypoint/connect-target.ts';
import { connectionTargets } from '../../waypoint/policy-targets.ts';
import { RequestFields } from '../../waypoint/request-fields.ts';
import { backendTarget, DEFAULT_PLAN, ownTarget } from '../../waypoint/route-target.ts';
import { DestinationResolver, type OutboundRoute } from '../../ztunnel/resolve-destination.ts';
import { Advice } from './advice.ts';
import { type CallDestination, type CallSource, nameOf } from './find-ends.ts';
import type { MeshModel, WaypointModel } from './mesh-model.ts';

export interface Call {
  readonly source: CallSource;
  readonly destination: CallDestination;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly HttpHeader[];
}

export interface Hop {
  /** Who decides. */
  readonly where: string;
  readonly verdict: 'passes' | 'refused';
  readonly reason: string;
  /** What else is worth knowing. */
  readonly remarks: readonly string[];
  /** What would make another verdict; empty for nothing to say. */
  readonly change: string;
}

/** All hops, up to the one that refuses. */
export function explainCall(model: MeshModel, call: Call, random: () => number): readonly Hop[] {
  return new Explanation(model, call, random).hops();
}

/** An address that nobody in a mesh has. */
const ELSEWHERE = parseIpAddress('192.0.2.1') as IpAddress;
const NO_AVOID: ReadonlySet<string> = new Set();

/** Where a connection arrives at an endpoint's node. */
interface Arrival {
  readonly workload: Workload;
  readonly port: number;
  readonly identity: Identity | undefined;
  readonly sourceIp: IpAddress;
}

class Explanation {
  readonly #model: MeshModel;
  readonly #state: MeshState;
  readonly #call: Call;
  readonly #random: () => number;
  readonly #advice: Advice;
  readonly #hops: Hop[] = [];

  constructor(model: MeshModel, call: Call, random: () => number) {
    this.#model = model;
    this.#state = model.state;
    this.#call = call;
    this.#random = random;
    this.#advice = new Advice(call.source);
  }

  hops(): readonly Hop[] {
    const { source } = this.#call;
    if (source?.protocol === 'HBONE') this.#fromMesh(source);
    else this.#fromOutside(source);
    return this.#hops;
  }

  #pass(where: string, reason: string, remarks: readonly string[] = []): void {
    this.#hops.push({ where, verdict: 'passes', reason, remarks, change: '' });
  }

  #refuse(where: string, reason: string, change: string, remarks: readonly string[] = []): void {
    this.#hops.push({ where, verdict: 'refused', reason, remarks, change });
  }

  /** Its node's ztunnel decides over the way. */
  #fromMesh(source: Workload): void {
    const { destination } = this.#call;
    const where = `ztunnel of ${source.node || 'the client'}`;
    const resolver = new DestinationResolver(this.#state, { network: source.network, random: this.#random });
    const resolved = resolver.resolve(source, destination);
    if (!resolved.ok) {
      return this.#refuse(where, resolved.error.message, this.#advice.forWay(resolved.error.code, destination));
    }
    const route = resolved.value;
    const sourceIp = source.addresses[0] ?? ELSEWHERE;
    switch (route.kind) {
      case 'passthrough':
        return this.#pass(where, `leaves the mesh in plaintext: nobody of the mesh has ${destination.name}`);
      case 'tcp':
        this.#pass(where, `in plaintext to ${nameOf(route.workload)}, which is not in the mesh`);
        return;
      case 'double-hbone':
        return this.#pass(where, `through the gateway of another network, for ${route.authority}`, [
          'what happens there is not known here',
        ]);
      case 'hbone':
        this.#throughTunnel(where, source, route, sourceIp);
    }
  }

  #throughTunnel(
    where: string,
    source: Workload,
    route: Extract<OutboundRoute, { kind: 'hbone' }>,
    sourceIp: IpAddress,
  ): void {
    const { workload } = route;
    const as = `as ${identityText(source)}`;
    if (this.#isWaypointOfCall(workload)) {
      this.#pass(where, `tunnel to waypoint ${nameOf(workload)} ${as}`);
      return this.#atWaypoint(workload, source, sourceIp);
    }
    this.#pass(where, `tunnel straight to ${nameOf(workload)} ${as}`, this.#noWaypointRemarks());
    this.#arrive({ workload, port: route.authorityPort, identity: source, sourceIp });
  }

  #isWaypointOfCall(workload: Workload): boolean {
    const { service, workload: called } = this.#call.destination;
    const named = [
      service?.waypoint,
      called?.waypoint,
      ...(service?.weightedWaypoints ?? []).map(({ destination }) => destination),
    ];
    return named.some((waypoint) => waypoint !== undefined && isWaypointWorkload(this.#state, waypoint, workload));
  }

  #noWaypointRemarks(): string[] {
    const { service } = this.#call.destination;
    return service === undefined ? [] : ['the service has no waypoint: method, path and headers are not looked at'];
  }

  /** Kubernetes picks the endpoint; no proxy sees the connection before that of the endpoint. */
  #fromOutside(source: Workload | undefined): void {
    const { destination } = this.#call;
    const { service, workload } = destination;
    const where = source === undefined ? 'the client' : nameOf(source);
    const sourceIp = source?.addresses[0] ?? ELSEWHERE;
    const bypassed = service?.waypoint ?? service?.weightedWaypoints[0] ?? workload?.waypoint;
    const remarks = bypassed === undefined ? [] : ['its waypoint is not asked: only clients in the mesh go through it'];
    if (service === undefined) {
      if (workload === undefined) return this.#pass(where, `nobody of the mesh has ${destination.name}`);
      this.#pass(where, 'in plaintext: the client is not in the mesh', remarks);
      return this.#arrive({ workload, port: destination.port, identity: undefined, sourceIp });
    }
    const [some] = this.#state.workloads();
    const from = source ?? some;
    const picked =
      from && new EndpointPicker(this.#state, this.#random).pick(service, destination.port, from, 'standard');
    if (picked === undefined) {
      const reason = `no healthy upstream: ${destination.name}`;
      return this.#refuse(where, reason, this.#advice.forWay('NO_HEALTHY_UPSTREAM', destination));
    }
    this.#pass(where, `in plaintext to ${nameOf(picked.workload)}: the client is not in the mesh`, remarks);
    this.#arrive({ workload: picked.workload, port: picked.targetPort, identity: undefined, sourceIp });
  }

  #atWaypoint(self: Workload, source: Workload, sourceIp: IpAddress): void {
    const { ip, port } = this.#call.destination;
    const where = `waypoint ${nameOf(self)}`;
    const authority = parseAuthority(formatAddress(ip, port));
    if (authority === undefined) return this.#refuse(where, `${port} is no port`, 'ports are from 1 to 65535');
    const target = findConnectTarget(this.#state, self, authority);
    if (!target.ok) return this.#refuse(where, target.error.message, '');
    const waypoint = this.#model.waypointIn(self.namespace);
    const declared = target.value.kind === 'service' ? target.value.service.appProtocols?.get(port) : undefined;
    const isHttp = declared !== 'tcp' && declared !== 'tls';
    const fields = requestFields(this.#call);
    const subject = { ...subjectOf(source, sourceIp, ip, port), http: isHttp ? httpSubject(fields) : undefined };
    const remarks = isHttp ? [] : ['the port carries no HTTP: method, path and headers are not looked at'];
    const admitted = this.#admit(where, self, waypoint, target.value, subject, remarks);
    if (!admitted) return;
    const { value } = target;
    const clientNamespace = source.trustDomain === self.trustDomain ? source.namespace : undefined;
    const routes = value.kind === 'service' ? waypoint.routes.of(value.service, port, clientNamespace) : undefined;
    if (!isHttp) return this.#forward(where, self, waypoint, target.value, routes?.tcp ?? DEFAULT_PLAN, '');
    const route = routes?.http?.find(fields);
    if (routes?.http === undefined) return this.#forward(where, self, waypoint, target.value, DEFAULT_PLAN, '');
    if (route === undefined) {
      const change = 'add a rule that matches it to a route of the service, or one without matches';
      return this.#refuse(where, '404: the service has routes, and none matches', change);
    }
    this.#take(where, self, waypoint, target.value, route);
  }

  #admit(
    where: string,
    self: Workload,
    { policies }: WaypointModel,
    target: ConnectTarget,
    subject: RequestSubject,
    remarks: readonly string[],
  ): boolean {
    const gateway = { namespace: self.namespace, name: self.serviceAccount };
    const targets = connectionTargets(gateway, target);
    const inForce = policies.of(targets);
    const notes = [...remarks];
    const custom = matchCustom(inForce, subject);
    if (custom !== undefined)
      notes.push(`provider ${custom.provider ?? 'of several policies'} is asked, by ${custom.rule}`);
    if (policies.tokenRulesOf(targets) !== undefined) {
      notes.push('a RequestAuthentication looks at tokens; this request is taken to have none');
    }
    const decision = inForce.authorize(subject);
    if (decision.allowed) {
      const by = decision.rule === 'none' ? 'no policy says otherwise' : `allowed by ${decision.rule}`;
      this.#pass(where, by, notes);
      return true;
    }
    const allows = inForce.all.filter(({ action, dryRun }) => action === 'ALLOW' && !dryRun).map(nameOf);
    if (decision.rule !== 'none') {
      this.#refuse(where, `403: denied by ${decision.rule}`, this.#advice.forDeny(decision.rule), notes);
    } else {
      const reason = `403: there are ALLOW policies, and none allows it: ${allows.join(', ')}`;
      this.#refuse(where, reason, this.#advice.forAllow(allows), notes);
    }
    return false;
  }

  #take(where: string, self: Workload, waypoint: WaypointModel, target: ConnectTarget, route: CompiledRoute): void {
    const { action, fault } = route;
    const name = route.name === '' ? 'a route' : `route ${route.name}`;
    const abort =
      fault === undefined || fault.abortSharePpm === 0 ? '' : `; ${fault.abortSharePpm / 10_000} % are aborted`;
    const delay =
      fault === undefined || fault.delaySharePpm === 0
        ? ''
        : `; ${fault.delaySharePpm / 10_000} % wait ${fault.delayMs} ms`;
    if (action.kind === 'redirect') return this.#pass(where, `${name} redirects with ${action.status}${abort}${delay}`);
    if (action.kind === 'respond') return this.#pass(where, `${name} answers ${action.status} itself${abort}${delay}`);
    this.#forward(where, self, waypoint, target, action.plan, `${name}${abort}${delay}`);
  }

  /** All backends are shown; of each one endpoint's node is asked. */
  #forward(
    where: string,
    self: Workload,
    { clusters }: WaypointModel,
    target: ConnectTarget,
    plan: ForwardPlan,
    route: string,
  ): void {
    const reach = { state: this.#state, clusters };
    const backends = plan.backends.filter(({ weight }) => weight > 0);
    if (backends.length === 0) {
      return this.#refuse(
        where,
        `${plan.missingStatus}: ${route || 'the route'} names no backend`,
        'give it a backendRef with a weight',
      );
    }
    for (const { weight, backend } of backends) {
      const share = backends.length === 1 ? '' : ` (${Math.round((100 * weight) / plan.totalWeight)} %)`;
      const isOwn = plan === DEFAULT_PLAN;
      const called = isOwn
        ? ownTarget(target, 'http1', reach)
        : backend && backendTarget(backend, target.port, 'http1', reach);
      const name = isOwn ? this.#call.destination.name : backendName(backend);
      const by = route === '' ? '' : `${route}: `;
      if (called === undefined) {
        this.#refuse(
          where,
          `${plan.missingStatus}: ${by}${name} is not there${share}`,
          'name a service, port and subset that there are',
        );
        continue;
      }
      const picked = called.cluster.pick(self, { hashKey: undefined, avoid: NO_AVOID });
      if (picked === undefined) {
        this.#refuse(where, `503: ${by}${name} has no healthy endpoint${share}`, this.#advice.forEndpoints(name));
        continue;
      }
      const { workload, port } = picked.endpoint;
      picked.done(undefined);
      this.#pass(where, `${by}to ${nameOf(workload)}, an endpoint of ${name}${share}`);
      this.#arrive({ workload, port, identity: self, sourceIp: self.addresses[0] ?? ELSEWHERE });
    }
  }

  /** The endpoint's ztunnel has the last word. */
  #arrive({ workload, port, identity, sourceIp }: Arrival): void {
    if (workload.protocol !== 'HBONE') {
      return this.#pass(nameOf(workload), 'it is not in the mesh: nobody asks a policy');
    }
    const where = `ztunnel of ${workload.node || nameOf(workload)}`;
    const { policies, missing, inForce } = this.#state.policiesFor(workload);
    if (missing.length > 0) {
      return this.#refuse(
        where,
        `policy not yet known: ${missing.join(', ')}`,
        'it comes from the control plane: ambit status',
      );
    }
    const destinationIp = workload.addresses[0] ?? ELSEWHERE;
    const { decision, dryRun } = inForce.authorize({ identity, sourceIp, destinationIp, destinationPort: port });
    const remarks = dryRun.map((policy) => `dry run: ${nameOf(policy)} would ${policy.action.toLowerCase()} it`);
    if (!decision.allowed) {
      const allows = policies.filter(({ action, dryRun: dry }) => action === 'Allow' && !dry).map(nameOf);
      return this.#refuse(
        where,
        decision.reason,
        this.#advice.forConnection(decision.reason, allows, identity),
        remarks,
      );
    }
    const by = decision.policy === undefined ? 'no policy says otherwise' : `allowed by ${nameOf(decision.policy)}`;
    this.#pass(where, `${by}; to ${nameOf(workload)} port ${port}`, remarks);
  }
}

function backendName(backend: RouteBackend['backend']): string {
  if (backend === undefined) return 'its backend';
  const { hostname, port, subset } = backend;
  return `${hostname}${port === 0 ? '' : `:${port}`}${subset === '' ? '' : ` subset ${subset}`}`;
}

function identityText(workload: Workload): string {
  return principalOf(spiffeId(workload));
}

function requestFields({ method, path, headers, destination }: Call): RequestFields {
  const authority = headers.find(([name]) => name === 'host')?.[1] ?? destination.name;
  const others = headers.filter(([name]) => name !== 'host');
  return new RequestFields([
    [':method', method],
    [':scheme', 'http'],
    [':authority', authority],
    [':path', path],
    ...others,
  ]);
}

function subjectOf(source: Workload, sourceIp: IpAddress, destinationIp: IpAddress, destinationPort: number) {
  return { identity: source, sourceIp, remoteIp: sourceIp, destinationIp, destinationPort, sni: undefined };
}

function httpSubject(fields: RequestFields): RequestSubject['http'] {
  const { authority, method, target } = fields;
  return { authority, method, path: target, headerValues: (name) => fields.headerValues(name), token: undefined };
}
