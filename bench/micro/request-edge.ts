/** Requests as metrics count them: between clients of their own and fifty servers. */
import type { RequestEdgeLabels } from '../../src/telemetry/request-labels.ts';
import type { RequestOutcome } from '../../src/telemetry/request-metrics.ts';
import type { PeerLabels } from '../../src/telemetry/traffic-labels.ts';

const SERVERS = 50;

export const OUTCOME: RequestOutcome = {
  protocol: 'http',
  code: 200,
  grpcStatus: '',
  flags: '-',
  durationMs: 20,
  requestBytes: 100,
  responseBytes: 2000,
  requestMessages: 0,
  responseMessages: 0,
};

function peer(name: string): PeerLabels {
  return {
    workload: name,
    canonicalService: name,
    canonicalRevision: 'v1',
    namespace: 'shop',
    cluster: 'Kubernetes',
    region: '',
    zone: '',
  };
}

const spiffe = (name: string) => `spiffe://cluster.local/ns/shop/sa/${name}`;

/** The labels of a client with its server. @param index each has a client of its own */
export function requestEdge(index: number): RequestEdgeLabels {
  const [client, server] = [`client-${index}`, `server-${index % SERVERS}`];
  return {
    reporter: 'waypoint',
    source: peer(client),
    sourcePrincipal: spiffe(client),
    destination: peer(server),
    destinationPrincipal: spiffe(server),
    service: { name: server, namespace: 'shop', hostname: `${server}.shop.svc.cluster.local` },
    mutualTls: true,
  };
}
