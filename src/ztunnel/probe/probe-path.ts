/**
 * The way of a pod of this node to a destination, tried by what carries its connections: names, the choice of the way, the
 * pod's certificate, packets and tunnels from inside its network namespace.
 *
 * Invariants:
 * - Only addresses that the feed knows are tried, and only from pods of this node.
 * - Nothing is carried: a tunnel is opened, asked for a connection, and closed.
 */
import { newTraceparent } from '../../hbone/connect-request.ts';
import { connectHint, probeTunnel } from '../../hbone/probe-tunnel.ts';
import { TlsStore } from '../../hbone/tls-store.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../../hbone/tunnel-settings.ts';
import { BlockPool } from '../../http2/block-pool.ts';
import { formatAddress, type IpAddress, isV4 } from '../../model/address.ts';
import { type ProbeReport, type ProbeStep, stepFailed, stepOk, stepRemark } from '../../model/probe-step.ts';
import { type Workload, workloadIdentity } from '../../model/workload.ts';
import { probeMtu } from '../../net/probe-mtu.ts';
import type { WorkloadCertificate } from '../../pki/workload-certificate.ts';
import { formatBaggage } from '../../telemetry/baggage.ts';
import { formatForwarded } from '../../telemetry/forwarded.ts';
import { TraceIds } from '../../telemetry/trace-ids.ts';
import { createPodNetwork, type PodNetwork } from '../data/pod-network.ts';
import { DestinationResolver, type OutboundRoute } from '../resolve-destination.ts';
import type { PathProbeDeps } from './path-probe-deps.ts';
import { probeDns } from './probe-dns.ts';

/** A pod of this node. */
export interface ProbedPod {
  readonly workload: Workload;
  readonly netnsFd: number | undefined;
}

export interface PathQuestion {
  /** As a program writes it; undefined when it has the address. */
  readonly name: string | undefined;
  /** Undefined to ask for the name alone. */
  readonly destination: { readonly ip: IpAddress; readonly port: number } | undefined;
}

/** Tries it. Never rejects; every step that fails says what to do. */
export async function probePath(
  pod: ProbedPod,
  { name, destination }: PathQuestion,
  deps: PathProbeDeps,
): Promise<ProbeReport> {
  const dns = name === undefined ? [] : [await probeDns(name, pod.workload, pod.netnsFd, deps)];
  if (destination === undefined) return { steps: dns, next: '' };
  const { state, config, random } = deps;
  const tunnelPort = config.inboundPort === 0 ? {} : { tunnelPort: config.inboundPort };
  const resolver = new DestinationResolver(state, { network: config.network, random, ...tunnelPort });
  const route = resolver.resolve(pod.workload, destination);
  const where = formatAddress(destination.ip, destination.port);
  if (!route.ok)
    return { steps: [...dns, stepFailed('route', `${where}: ${route.error.message}`, NO_ROUTE)], next: '' };
  const rest = await followRoute(pod, route.value, deps);
  const { workload } = route.value;
  const next = workload === undefined ? '' : `${workload.namespace}/${workload.name}`;
  return { steps: [...dns, routeStep(where, route.value), ...rest], next };
}

const NO_ROUTE = 'ambit explain says which object decides; ambit status whether proxies have the latest';

function routeStep(where: string, route: OutboundRoute): ProbeStep {
  const { target, workload } = route;
  const next = workload === undefined ? 'nobody of the mesh' : `${workload.name}.${workload.namespace}`;
  const to = target.kind === 'address' ? formatAddress(target.ip, target.port) : `${target.hostname}:${target.port}`;
  const how = route.kind === 'hbone' || route.kind === 'double-hbone' ? 'through a tunnel' : 'in plaintext';
  return stepOk('route', `${where} is ${next}, ${how} to ${to}`);
}

async function followRoute(pod: ProbedPod, route: OutboundRoute, deps: PathProbeDeps): Promise<readonly ProbeStep[]> {
  const { target } = route;
  if (target.kind === 'hostname') {
    return [stepRemark('connect', `${target.hostname} is asked for when somebody connects`, 'it is not tried here')];
  }
  const { config, clock, random, logger } = deps;
  const network = createPodNetwork(config, pod.netnsFd, { clock, logger, random });
  const from = {
    ...(pod.netnsFd !== undefined && { netnsFd: pod.netnsFd }),
    ...(config.packetMark !== undefined && { mark: config.packetMark }),
  };
  const mtu = probeMtu({ family: isV4(target.ip) ? 4 : 6, destination: target.ip, ...from }, { clock, random });
  const connected =
    route.kind === 'hbone' || route.kind === 'double-hbone'
      ? tunnelSteps(pod, route, target, network, deps)
      : plainSteps(target, network);
  const [mtuStep, steps] = await Promise.all([mtu, connected]);
  const own = steps.filter(({ step }) => step === 'certificate');
  return [...own, mtuStep, ...steps.filter(({ step }) => step !== 'certificate')];
}

async function plainSteps(target: { ip: IpAddress; port: number }, network: PodNetwork): Promise<readonly ProbeStep[]> {
  const to = formatAddress(target.ip, target.port);
  const dialled = await network.dial({ address: target.ip, port: target.port });
  if (!dialled.ok) return [stepFailed('connect', `${to}: ${dialled.error.message}`, connectHint(dialled.error))];
  dialled.value.destroy();
  return [stepOk('connect', `${to} takes connections`)];
}

async function tunnelSteps(
  { workload: source }: ProbedPod,
  route: Extract<OutboundRoute, { kind: 'hbone' | 'double-hbone' }>,
  target: { readonly ip: IpAddress; readonly port: number },
  network: PodNetwork,
  deps: PathProbeDeps,
): Promise<readonly ProbeStep[]> {
  const { config, clock } = deps;
  const identity = workloadIdentity(source);
  const certificate = await deps.certificate(identity);
  if (!certificate.ok) {
    const hint = 'the log of the control plane says why it refuses: ambit status shows all certificates';
    return [stepFailed('certificate', `${identity}: ${certificate.error.message}`, hint)];
  }
  const options = { tls12: config.tls12Enabled, compliancePolicy: config.compliancePolicy };
  const tls = new TlsStore({
    clock,
    options: { ...options, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS },
    fetch: deps.certificate,
  });
  const [sourceIp = target.ip] = source.addresses;
  const identities = route.kind === 'double-hbone' ? route.gatewayIdentities : route.identities;
  const key = { sourceIdentity: identity, sourceIp, identities, targetIp: target.ip, targetPort: target.port };
  const authority =
    route.authority ?? formatAddress(target.ip, (route as Extract<OutboundRoute, { kind: 'hbone' }>).authorityPort);
  const request = {
    authority,
    baggage: formatBaggage(source),
    forwarded: formatForwarded(sourceIp, 0, route.service?.hostname),
    traceparent: newTraceparent(new TraceIds()),
  };
  const tunnel = { clock, blocks: new BlockPool(), tls, network, revocations: undefined, http2: config.http2 };
  const steps = await probeTunnel(key, request, { ...tunnel, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS });
  return [certificateStep(certificate.value, clock.nowMs()), ...steps];
}

function certificateStep({ identity, notAfterMs }: WorkloadCertificate, nowMs: number): ProbeStep {
  const leftMinutes = Math.floor((notAfterMs - nowMs) / 60_000);
  if (notAfterMs > nowMs) return stepOk('certificate', `${identity} is valid for ${leftMinutes} more minutes`);
  return stepFailed('certificate', `${identity} is expired`, 'renewal fails: see the log of this proxy');
}
