/** The labels of the request metrics (facts l7-and-control 7.2). */
import type { Service } from '../model/service.ts';
import { escapeLabelValue } from './exposition.ts';
import type { PeerLabels } from './traffic-labels.ts';

/** Who asked whom, as far as it does not change from request to request. */
export interface RequestEdgeLabels {
  readonly reporter: 'waypoint';
  readonly source: PeerLabels | undefined;
  /** `spiffe://…` */
  readonly sourcePrincipal: string | undefined;
  /** Undefined where no endpoint was chosen. */
  readonly destination: PeerLabels | undefined;
  readonly destinationPrincipal: string | undefined;
  /** Undefined where no service was called, but a pod. */
  readonly service: Pick<Service, 'name' | 'namespace' | 'hostname'> | undefined;
  readonly mutualTls: boolean;
}

/** What is known when a request is over. */
export interface OutcomeLabels {
  readonly protocol: 'http' | 'grpc';
  /** 0 without an answer. */
  readonly code: number;
  /** Empty for what is not gRPC. */
  readonly grpcStatus: string;
  /** Joined by commas; `-` for none. */
  readonly flags: string;
}

const UNKNOWN = 'unknown';

/** The labels of an edge, up to those of the outcome. */
export function renderEdgeLabels(edge: RequestEdgeLabels): string {
  const { source, destination, service } = edge;
  return [
    label('reporter', edge.reporter),
    label('source_workload', source?.workload),
    label('source_canonical_service', source?.canonicalService),
    label('source_canonical_revision', source?.canonicalRevision),
    label('source_workload_namespace', source?.namespace),
    label('source_principal', edge.sourcePrincipal),
    label('source_app', source?.canonicalService),
    label('source_version', source?.canonicalRevision),
    label('source_cluster', source?.cluster),
    label('destination_workload', destination?.workload),
    label('destination_workload_namespace', destination?.namespace),
    label('destination_principal', edge.destinationPrincipal),
    label('destination_app', destination?.canonicalService),
    label('destination_version', destination?.canonicalRevision),
    label('destination_service', service?.hostname),
    label('destination_canonical_service', destination?.canonicalService),
    label('destination_canonical_revision', destination?.canonicalRevision),
    label('destination_service_name', service?.name),
    label('destination_service_namespace', service?.namespace),
    label('destination_cluster', destination?.cluster),
  ].join(',');
}

/** The labels that follow those of the edge. */
export function renderOutcomeLabels({ protocol, code, grpcStatus, flags }: OutcomeLabels, mutualTls: boolean): string {
  return [
    label('request_protocol', protocol),
    label('response_code', String(code)),
    `grpc_response_status="${escapeLabelValue(grpcStatus)}"`,
    label('response_flags', flags),
    label('connection_security_policy', mutualTls ? 'mutual_tls' : 'none'),
  ].join(',');
}

function label(name: string, value: string | undefined): string {
  return `${name}="${escapeLabelValue(value || UNKNOWN)}"`;
}
