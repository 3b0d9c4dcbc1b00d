/**
 * A connection of the waypoint itself to a service of the mesh, as its requests have it: to an endpoint, in a tunnel.
 *
 * Invariant: a Service of Kubernetes is never called outside of the mesh, where anybody could answer for it.
 */
import type { Duplex } from 'node:stream';
import { fail, ok, type Result } from '../base/result.ts';
import { expandName } from '../dns/name-expansion.ts';
import { streamDuplex } from '../http2/stream-duplex.ts';
import { preferredService } from '../mesh/find-service.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import { formatForwarded } from '../telemetry/forwarded.ts';
import type { Clusters, PickedEndpoint } from './clusters.ts';
import type { Upstream, UpstreamAnswer, Upstreams } from './upstreams.ts';

export interface ConnectServiceDeps {
  readonly state: MeshState;
  readonly clusters: Clusters;
  readonly upstreams: Upstreams;
  readonly self: () => Workload | undefined;
}

/** Where names have another end, they are written in full. */
const CLUSTER_DOMAIN = 'cluster.local';
const ALPN = ['http/1.1'];

/** A connection for the URL; undefined when its host is none of the mesh. Fails with the reason as text. */
export async function connectService(
  url: URL,
  { state, clusters, upstreams, self }: ConnectServiceDeps,
): Promise<Result<Duplex | undefined, string>> {
  const own = self();
  if (own === undefined) return fail('this waypoint does not know itself yet');
  const service = findService(state, url.hostname, own.namespace);
  if (service === undefined) return ok(undefined);
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const cluster = service.ports.has(port) ? clusters.get({ service, port, subset: '' }) : undefined;
  const picked = cluster?.pick(own, { hashKey: undefined, avoid: new Set() });
  if (picked === undefined || (!service.canonical && picked.endpoint.workload.addresses.length === 0)) {
    picked?.done(undefined);
    return service.canonical ? fail(`no healthy endpoint of ${service.hostname}:${port}`) : ok(undefined);
  }
  // Where the URL asks for TLS, that is what is spoken to the endpoint, and no other around it.
  const policy = cluster?.policy && url.protocol === 'https:' ? { ...cluster.policy, tls: undefined } : cluster?.policy;
  return connectEndpoint(picked, policy, own, upstreams);
}

function connectEndpoint(
  picked: PickedEndpoint,
  policy: TrafficPolicy | undefined,
  self: Workload,
  upstreams: Upstreams,
): Promise<Result<Duplex, string>> {
  const [ownIp = ''] = self.addresses;
  return new Promise((resolve) => {
    const answer: UpstreamAnswer = (upstream) => {
      if (!upstream.ok) {
        picked.done({ kind: 'connect-failure' });
        resolve(fail(upstream.error.message));
        return;
      }
      const connection = duplexOf(upstream.value);
      connection.once('close', () => picked.done(undefined));
      // Whoever uses it hears of errors; until then nobody does.
      connection.on('error', () => undefined);
      resolve(ok(connection));
    };
    void upstreams.connect(picked.endpoint, self, formatForwarded(ownIp, 0, undefined), answer, policy, ALPN);
  });
}

function duplexOf(upstream: Upstream): Duplex {
  return upstream.kind === 'tunnel' ? streamDuplex(upstream.stream) : upstream.socket;
}

function findService(state: MeshState, hostname: string, namespace: string): Service | undefined {
  for (const { name } of expandName(hostname, namespace, CLUSTER_DOMAIN)) {
    const service = preferredService(state.servicesByHostname(name), namespace);
    if (service !== undefined) return service;
  }
  return undefined;
}
