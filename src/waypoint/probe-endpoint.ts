/** The way of a waypoint to an endpoint behind it, tried as it would be gone. */
import type { Clock } from '../base/clock.ts';
import { newTraceparent } from '../hbone/connect-request.ts';
import type { Dialer } from '../hbone/dialer.ts';
import { connectHint, probeTunnel } from '../hbone/probe-tunnel.ts';
import type { TlsStore } from '../hbone/tls-store.ts';
import { HANDSHAKE_TIMEOUT_MS, type TunnelWindows } from '../hbone/tunnel-settings.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import { formatAddress, isV4 } from '../model/address.ts';
import { HBONE_PORT } from '../model/gateway-address.ts';
import { type ProbeReport, type ProbeStep, stepFailed, stepOk } from '../model/probe-step.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';
import { probeMtu } from '../net/probe-mtu.ts';
import { formatBaggage } from '../telemetry/baggage.ts';
import { formatForwarded } from '../telemetry/forwarded.ts';
import type { ProbeQuestion } from '../telemetry/probe-routes.ts';
import { TraceIds } from '../telemetry/trace-ids.ts';

export interface EndpointProbeDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly blocks: BlockPool;
  readonly state: MeshState;
  readonly tls: TlsStore;
  readonly dialer: Dialer;
  readonly http2: TunnelWindows;
  readonly self: Workload | undefined;
}

type Target = NonNullable<ProbeQuestion['destination']>;

/** Only workloads that the feed knows are tried. */
export async function probeEndpoint(
  { destination }: ProbeQuestion,
  deps: EndpointProbeDeps,
): Promise<ProbeReport | { readonly refused: string }> {
  const { state, self, clock, random } = deps;
  if (self === undefined) return { refused: 'the feed has not named this waypoint yet' };
  if (destination === undefined) return { refused: 'a waypoint asks for no names: ip and port are needed' };
  const workload = state.workloadByAddress(self.network, destination.ip);
  if (workload === undefined) return { refused: `${destination.ip} is no workload that the feed knows` };
  const family = isV4(destination.ip) ? 4 : 6;
  const mtu = probeMtu({ family, destination: destination.ip }, { clock, random });
  const steps =
    workload.protocol === 'HBONE' ? tunnelSteps(workload, self, destination, deps) : plain(destination, deps);
  const all = await Promise.all([mtu, steps]);
  return { steps: all.flat(), next: `${workload.namespace}/${workload.name}` };
}

async function plain({ ip, port }: Target, { dialer }: EndpointProbeDeps): Promise<readonly ProbeStep[]> {
  const to = formatAddress(ip, port);
  const dialled = await dialer.dial({ address: ip, port });
  if (!dialled.ok) return [stepFailed('connect', `${to}: ${dialled.error.message}`, connectHint(dialled.error))];
  dialled.value.destroy();
  return [stepOk('connect', `${to} takes connections, in plaintext`)];
}

function tunnelSteps(
  workload: Workload,
  self: Workload,
  { ip, port }: Target,
  { clock, blocks, tls, dialer, http2 }: EndpointProbeDeps,
): Promise<readonly ProbeStep[]> {
  const [sourceIp = ip] = self.addresses;
  const key = {
    sourceIdentity: workloadIdentity(self),
    sourceIp,
    identities: [workloadIdentity(workload)],
    targetIp: ip,
    targetPort: HBONE_PORT,
  };
  const request = {
    authority: formatAddress(ip, port),
    baggage: formatBaggage(self),
    forwarded: formatForwarded(sourceIp, 0, undefined),
    traceparent: newTraceparent(new TraceIds()),
  };
  const tunnel = { clock, blocks, tls, network: dialer, revocations: undefined, http2 };
  return probeTunnel(key, request, { ...tunnel, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS });
}
