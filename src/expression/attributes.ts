/** What expressions can ask of a request that is over (facts l7-and-control 6.4), by the names that Envoy has for it. */

export type AttributeType = 'text' | 'number' | 'bool' | 'headers';

/** Durations are numbers of milliseconds. */
export const ATTRIBUTES = {
  'request.path': 'text',
  'request.url_path': 'text',
  'request.query': 'text',
  'request.host': 'text',
  'request.scheme': 'text',
  'request.method': 'text',
  'request.protocol': 'text',
  'request.id': 'text',
  'request.referer': 'text',
  'request.useragent': 'text',
  'request.size': 'number',
  'request.duration': 'number',
  'request.headers': 'headers',
  'response.code': 'number',
  'response.code_details': 'text',
  'response.flags': 'number',
  'response.grpc_status': 'number',
  'response.size': 'number',
  'response.duration': 'number',
  'response.headers': 'headers',
  'connection.mtls': 'bool',
  'connection.requested_server_name': 'text',
  'connection.uri_san_peer_certificate': 'text',
  'source.address': 'text',
  'source.port': 'number',
  'source.principal': 'text',
  'source.workload': 'text',
  'source.namespace': 'text',
  'destination.address': 'text',
  'destination.port': 'number',
  'destination.service': 'text',
  'destination.workload': 'text',
  'destination.namespace': 'text',
  'upstream.address': 'text',
  'upstream.port': 'number',
  'upstream.transport_failure_reason': 'text',
  'xds.cluster_name': 'text',
  'xds.route_name': 'text',
} as const satisfies Readonly<Record<string, AttributeType>>;

export type AttributeName = keyof typeof ATTRIBUTES;

export function isAttribute(name: string): name is AttributeName {
  return Object.hasOwn(ATTRIBUTES, name);
}

export interface ExpressionContext {
  /** Undefined where the request has no such thing. */
  attribute(name: AttributeName): string | number | boolean | undefined;
  /** @param name in lower case */
  header(of: 'request' | 'response', name: string): string | undefined;
}
