/** Tries a tunnel step by step and says how far it comes: connection, TLS, the answer to CONNECT. Nothing is carried. */
import { formatAddress } from '../model/address.ts';
import { type ProbeStep, stepFailed, stepOk } from '../model/probe-step.ts';
import type { ConnectRequest } from './connect-request.ts';
import { isConnectTimeout } from './dialer.ts';
import { type OpenTunnelDeps, openTunnel } from './open-tunnel.ts';
import { probeConnect } from './probe-connect.ts';
import type { ProxyError } from './proxy-error.ts';
import type { TunnelKey } from './tunnel-pool.ts';

/** The steps `connect`, `handshake` and `request`, up to the one that fails. */
export async function probeTunnel(
  key: TunnelKey,
  request: ConnectRequest,
  deps: OpenTunnelDeps,
): Promise<readonly ProbeStep[]> {
  const { clock } = deps;
  const target = formatAddress(key.targetIp, key.targetPort);
  const startMs = clock.monotonicMs();
  const opened = await openTunnel(key, () => undefined, deps);
  const tookText = () => `${(clock.monotonicMs() - startMs).toFixed(1)} ms`;
  if (!opened.ok) return failedSteps(target, opened.error);
  const steps = [
    stepOk('connect', `${target} takes connections`),
    stepOk('handshake', `mutual TLS after ${tookText()}: the peer is ${opened.value.peer}`),
  ];
  const answer = await probeConnect(opened.value.connection, request, clock);
  const asked = `CONNECT ${request.authority}`;
  if (answer.ok) return [...steps, stepOk('request', `${asked} is answered with 200 after ${tookText()}`)];
  return [...steps, stepFailed('request', `${asked}: ${answer.error.message}`, requestHint(answer.error, request))];
}

function failedSteps(target: string, error: ProxyError): ProbeStep[] {
  switch (error.code) {
    case 'CONNECT_FAILED':
    case 'CONNECT_TIMED_OUT':
      return [stepFailed('connect', `${target}: ${error.message}`, connectHint(error))];
    case 'IDENTITY':
      return [stepFailed('certificate', error.message, 'the log of the control plane says why it refuses')];
    default: {
      const hint = 'both ends have to trust the same root and to be who the feed says: ambit status, and clocks';
      return [stepOk('connect', `${target} takes connections`), stepFailed('handshake', error.message, hint)];
    }
  }
}

/** What to do about a connection that does not come up. */
export function connectHint(error: ProxyError): string {
  if (error.code === 'CONNECT_TIMED_OUT' || isConnectTimeout(error)) {
    return 'packets are dropped on the way: let NetworkPolicies and firewalls pass TCP to that port between pods';
  }
  return 'nobody listens there: is the pod ready and in the mesh (ambit status), and does its node have a ztunnel?';
}

function requestHint({ message }: ProxyError, { authority }: ConnectRequest): string {
  if (message.includes(' 401')) return 'a policy of the destination refuses the client; the access log there names it';
  if (message.includes(' 503'))
    return `its proxy reached nothing at ${authority}: does the program listen on that port?`;
  if (message.includes(' 400')) return 'the destination is not whom the feed says: ambit status';
  return 'the access log of the destination has the reason';
}
