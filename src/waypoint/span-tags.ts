/** The tags of a span (facts l7-and-control 8.3). */
import type { FormatContext } from '../format/format-context.ts';
import type { Workload } from '../model/workload.ts';
import { type PeerLabels, workloadPeer } from '../telemetry/traffic-labels.ts';

/** What a span tells besides what formats do. */
export interface TaggedRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly isGrpc: boolean;
  readonly grpcStatus: string;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly self: Workload;
  readonly nodeId: string;
  readonly source: PeerLabels;
  readonly destination: Workload | undefined;
}

const NONE = '-';
const FIRST_SERVER_ERROR = 500;
/** Flags that say that an endpoint, or the connection to it, failed. */
const FAILURES: ReadonlySet<string> = new Set(['UH', 'UF', 'UC', 'UR', 'UO', 'UT', 'URX', 'UPE', 'NC', 'DC']);

/** Whether the request counts as failed. */
export function isFailed({ responseCode, responseFlags }: FormatContext): boolean {
  if ((responseCode ?? 0) >= FIRST_SERVER_ERROR) return true;
  return responseFlags.split(',').some((flag) => FAILURES.has(flag));
}

/** @param pathLength longer paths are cut */
export function spanTags(
  context: FormatContext,
  request: TaggedRequest,
  istioTags: boolean,
  pathLength: number,
): Map<string, string> {
  const header = (name: string) => context.requestHeader(name);
  const path = (header('x-envoy-original-path') ?? header(':path') ?? '').slice(0, pathLength);
  const cluster = context.upstreamCluster ?? NONE;
  const tags = new Map([
    ['component', 'proxy'],
    ['node_id', request.nodeId],
    ['guid:x-request-id', context.requestId],
    ['http.url', `${request.scheme}://${request.authority}${path}`],
    ['http.method', request.method],
    ['http.protocol', context.protocol],
    ['http.status_code', String(context.responseCode ?? 0)],
    ['downstream_cluster', NONE],
    ['user_agent', header('user-agent') ?? NONE],
    ['request_size', String(request.receivedBytes)],
    ['response_size', String(request.sentBytes)],
    ['response_flags', context.responseFlags || NONE],
    ['upstream_cluster', cluster],
    ['upstream_cluster.name', cluster],
    ['peer.address', context.downstreamRemoteAddress],
  ]);
  if (context.upstreamHost !== undefined) tags.set('upstream_address', context.upstreamHost);
  if (isFailed(context)) tags.set('error', 'true');
  if (request.isGrpc) addGrpc(tags, context, request);
  if (istioTags) addIstio(tags, request);
  return tags;
}

function addGrpc(tags: Map<string, string>, context: FormatContext, { authority, grpcStatus }: TaggedRequest): void {
  tags.set('grpc.path', context.requestHeader(':path') ?? '');
  tags.set('grpc.authority', authority);
  tags.set('grpc.content_type', context.requestHeader('content-type') ?? '');
  tags.set('grpc.timeout', context.requestHeader('grpc-timeout') ?? '');
  tags.set('grpc.status_code', grpcStatus);
  const message = context.responseHeader('grpc-message');
  if (message !== undefined) tags.set('grpc.message', message);
}

function addIstio(tags: Map<string, string>, { self, source, destination }: TaggedRequest): void {
  tags.set('istio.canonical_service', self.canonicalName);
  tags.set('istio.canonical_revision', self.canonicalRevision);
  // No mesh has another id than its trust domain, where none is set.
  tags.set('istio.mesh_id', self.trustDomain);
  tags.set('istio.namespace', self.namespace);
  tags.set('istio.cluster_id', self.clusterId);
  addPeer(tags, 'istio.source_', source);
  if (destination === undefined) return;
  addPeer(tags, 'istio.destination_', workloadPeer(destination));
  tags.set('istio.destination_instance_name', destination.name);
}

function addPeer(tags: Map<string, string>, prefix: string, peer: PeerLabels): void {
  const values = {
    workload: peer.workload,
    namespace: peer.namespace,
    cluster_id: peer.cluster,
    canonical_service: peer.canonicalService,
    canonical_revision: peer.canonicalRevision,
    app: peer.canonicalService,
    app_version: peer.canonicalRevision,
  };
  for (const [name, value] of Object.entries(values)) if (value !== '') tags.set(prefix + name, value);
}
