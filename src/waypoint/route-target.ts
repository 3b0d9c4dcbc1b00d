/** Where the requests of a connection may go: the service that was called, or what its routes name instead. */
import type { MeshState } from '../mesh/mesh-state.ts';
import type { Service } from '../model/service.ts';
import type { Backend } from '../proto/gen/ambit.ts';
import type { ForwardPlan } from '../routing/compile-routes.ts';
import { DEFAULT_RETRY } from '../routing/retry-policy.ts';
import type { Cluster, Clusters } from './clusters.ts';
import type { ConnectTarget } from './connect-target.ts';
import { type UpstreamVersion, upstreamVersion } from './http-upstreams.ts';

/** A cluster of endpoints, and what is spoken to them. */
export interface RouteTarget {
  readonly cluster: Cluster;
  readonly version: UpstreamVersion;
}

export interface RouteTargetDeps {
  readonly state: MeshState;
  readonly clusters: Clusters;
}

/** What is done where no route is configured: requests go where the client wanted, without a time limit. */
export const DEFAULT_PLAN: ForwardPlan = {
  backends: [
    {
      weight: 1,
      backend: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      path: undefined,
      authority: '',
    },
  ],
  totalWeight: 1,
  timeoutMs: 0,
  retry: DEFAULT_RETRY,
  mirrors: [],
  missingStatus: 503,
  session: undefined,
};

/** The target of a connection itself. */
export function ownTarget(
  target: ConnectTarget,
  spoken: UpstreamVersion,
  { clusters }: RouteTargetDeps,
): RouteTarget | undefined {
  if (target.kind === 'workload') return { cluster: singleEndpoint(target), version: spoken };
  return targetOf(target.service, target.port, '', spoken, clusters);
}

/** What a route names; undefined when it is not there. @param calledPort the port that the client called */
export function backendTarget(
  { namespace, hostname, port, subset }: Backend,
  calledPort: number,
  spoken: UpstreamVersion,
  { state, clusters }: RouteTargetDeps,
): RouteTarget | undefined {
  const service = state.service(`${namespace}/${hostname}`);
  if (service === undefined) return undefined;
  const [only] = service.ports.keys();
  const wanted = port || (service.ports.size === 1 ? (only ?? calledPort) : calledPort);
  return service.ports.has(wanted) ? targetOf(service, wanted, subset, spoken, clusters) : undefined;
}

function targetOf(
  service: Service,
  port: number,
  subset: string,
  spoken: UpstreamVersion,
  clusters: Clusters,
): RouteTarget | undefined {
  const cluster = clusters.get({ service, port, subset });
  return cluster && { cluster, version: versionFor(service, port, spoken, cluster) };
}

/** What the service declares, else what the client speaks; its DestinationRule may ask for HTTP/2. */
function versionFor(service: Service, port: number, spoken: UpstreamVersion, { policy }: Cluster): UpstreamVersion {
  if (policy?.connectionPool?.useClientProtocol) return spoken;
  const declared = service.appProtocols?.get(port);
  return upstreamVersion(declared === 'http1' || declared === 'http2' ? declared : spoken, policy);
}

/** A pod that was called by its own address: no policy, no choice. */
function singleEndpoint({ workload, port }: Extract<ConnectTarget, { kind: 'workload' }>): Cluster {
  const permit = { release: () => undefined };
  return {
    name: undefined,
    policy: undefined,
    holds: () => false,
    pick: () => ({ endpoint: { workload, port, service: undefined }, priority: 0, done: () => undefined }),
    admitRequest: () => permit,
    admitRetry: () => permit,
    admitConnection: () => permit,
  };
}
