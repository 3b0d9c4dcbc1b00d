/** The labels of the `istio_tcp_*` metrics (facts ztunnel-wire 11.1). */
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { escapeLabelValue } from './exposition.ts';

/** What telemetry says of one end of a connection: a workload, or what its baggage claims. */
export interface PeerLabels {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
}

export interface TrafficLabels {
  readonly reporter: 'source' | 'destination' | 'waypoint';
  readonly source: PeerLabels | undefined;
  readonly destination: PeerLabels | undefined;
  readonly sourcePrincipal: string | undefined;
  readonly destinationPrincipal: string | undefined;
  readonly service: Pick<Service, 'name' | 'namespace' | 'hostname'> | undefined;
  readonly mutualTls: boolean;
}

/** The rendered labels on both sides of `response_flags`, which is known only at the end of a connection. */
export interface RenderedTrafficLabels {
  readonly before: string;
  readonly after: string;
}

const UNKNOWN = 'unknown';

/** A workload as telemetry names it. */
export function workloadPeer(workload: Workload): PeerLabels {
  return {
    workload: workload.workloadName,
    namespace: workload.namespace,
    canonicalService: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    cluster: workload.clusterId,
    region: workload.locality.region,
    zone: workload.locality.zone,
  };
}

/** All labels in the order of the real peers; a missing value is `unknown`. */
export function renderTrafficLabels(labels: TrafficLabels): RenderedTrafficLabels {
  const { source, destination, service } = labels;
  const before = [
    label('reporter', labels.reporter),
    ...peerLabels('source', source, labels.sourcePrincipal),
    label('destination_service', service?.hostname),
    label('destination_service_namespace', service?.namespace),
    label('destination_service_name', service?.name),
    ...peerLabels('destination', destination, labels.destinationPrincipal),
    label('request_protocol', 'tcp'),
    'response_flags="',
  ].join(',');
  const after = [
    `"`,
    label('connection_security_policy', labels.mutualTls ? 'mutual_tls' : undefined),
    label('source_region', source?.region),
    label('source_zone', source?.zone),
    label('destination_region', destination?.region),
    label('destination_zone', destination?.zone),
  ].join(',');
  return { before, after };
}

function peerLabels(side: 'source' | 'destination', peer: PeerLabels | undefined, principal?: string): string[] {
  return [
    label(`${side}_workload`, peer?.workload),
    label(`${side}_canonical_service`, peer?.canonicalService),
    label(`${side}_canonical_revision`, peer?.canonicalRevision),
    label(`${side}_workload_namespace`, peer?.namespace),
    label(`${side}_principal`, principal),
    label(`${side}_app`, peer?.canonicalService),
    label(`${side}_version`, peer?.canonicalRevision),
    label(`${side}_cluster`, peer?.cluster),
  ];
}

function label(name: string, value: string | undefined): string {
  return `${name}="${escapeLabelValue(value || UNKNOWN)}"`;
}
