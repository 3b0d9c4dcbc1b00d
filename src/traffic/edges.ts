/**
 * Who calls whom, from what proxies count (facts l7-and-control 7.2, 7.3): the edges of the service graph, with counters
 * that only grow. Two readings of the same edges give rates (edge-rates.ts).
 */
import type { Labels, ParsedSample } from './parse-exposition.ts';

/** One end of an edge. */
export interface EdgePeer {
  readonly namespace: string;
  /** Empty where it is not known, as for a request that no endpoint took. */
  readonly workload: string;
  readonly canonicalService: string;
  readonly revision: string;
  /** `spiffe://…`; empty in plaintext. */
  readonly principal: string;
}

export interface EdgeService {
  readonly namespace: string;
  readonly name: string;
  /** Empty where a pod was called by its address. */
  readonly hostname: string;
}

/** Which proxies count it. */
export type EdgeReporter = 'source' | 'destination' | 'waypoint';

export interface Edge {
  readonly key: string;
  readonly reporter: EdgeReporter;
  readonly source: EdgePeer;
  readonly destination: EdgePeer;
  readonly service: EdgeService;
  /** `http` and `grpc` where requests are seen, else `tcp`. */
  readonly protocol: string;
  readonly mutualTls: boolean;
}

export interface EdgeCounters {
  /** Requests by `CODE` or, of gRPC, `CODE/GRPC-STATUS`. */
  readonly requests: Map<string, number>;
  /** Cumulative counts by upper bound in milliseconds, Infinity included. */
  readonly durationBuckets: Map<number, number>;
  durationSumMs: number;
  requestBytes: number;
  responseBytes: number;
  opened: number;
  closed: number;
  failed: number;
  /** Of the requests, and of the connections, those that the mesh itself refused by policy. */
  deniedRequests: number;
  deniedConnections: number;
  /** Client to server, and back. */
  receivedBytes: number;
  sentBytes: number;
}

/** All edges at one moment. */
export type EdgeReading = ReadonlyMap<string, { readonly edge: Edge; readonly counters: EdgeCounters }>;

const NAMES: ReadonlySet<string> = new Set([
  'istio_requests_total',
  'istio_request_duration_milliseconds_bucket',
  'istio_request_duration_milliseconds_sum',
  'istio_request_bytes_sum',
  'istio_response_bytes_sum',
  'istio_tcp_connections_opened_total',
  'istio_tcp_connections_closed_total',
  'istio_tcp_connections_failed_total',
  'istio_tcp_received_bytes_total',
  'istio_tcp_sent_bytes_total',
]);

/** Whether samples of this name are about edges. */
export function isEdgeMetric(name: string): boolean {
  return NAMES.has(name);
}

/** Of codes, and of buckets, of one edge: those beyond are made up. */
const MAX_KINDS = 100;

/** Adds what one proxy counts to a reading: the same edge at several proxies is one. @param maxEdges others are left out */
export function addSamples(
  reading: Map<string, { readonly edge: Edge; readonly counters: EdgeCounters }>,
  samples: readonly ParsedSample[],
  maxEdges = Infinity,
): void {
  for (const { name, labels, value } of samples) {
    const key = edgeKey(labels);
    let entry = reading.get(key);
    if (entry === undefined) {
      if (reading.size >= maxEdges) continue;
      entry = { edge: edgeOf(key, labels), counters: createCounters() };
      reading.set(key, entry);
    }
    addSample(entry.counters, name, labels, value);
  }
}

function addSample(counters: EdgeCounters, name: string, labels: Labels, value: number): void {
  switch (name) {
    case 'istio_requests_total':
      if (isRefusedByMesh(labels)) counters.deniedRequests += value;
      return add(counters.requests, codeOf(labels), value);
    case 'istio_request_duration_milliseconds_bucket':
      return add(counters.durationBuckets, labels['le'] === '+Inf' ? Infinity : Number(labels['le']), value);
    case 'istio_request_duration_milliseconds_sum':
      counters.durationSumMs += value;
      return;
    case 'istio_request_bytes_sum':
      counters.requestBytes += value;
      return;
    case 'istio_response_bytes_sum':
      counters.responseBytes += value;
      return;
    case 'istio_tcp_connections_opened_total':
      counters.opened += value;
      return;
    case 'istio_tcp_connections_closed_total':
      counters.closed += value;
      return;
    case 'istio_tcp_connections_failed_total':
      counters.failed += value;
      if (DENIED_FLAGS.has(labels['response_flags'] ?? '')) counters.deniedConnections += value;
      return;
    case 'istio_tcp_received_bytes_total':
      counters.receivedBytes += value;
      return;
    case 'istio_tcp_sent_bytes_total':
      counters.sentBytes += value;
  }
}

export function createCounters(): EdgeCounters {
  return {
    requests: new Map(),
    durationBuckets: new Map(),
    durationSumMs: 0,
    requestBytes: 0,
    responseBytes: 0,
    opened: 0,
    closed: 0,
    failed: 0,
    deniedRequests: 0,
    deniedConnections: 0,
    receivedBytes: 0,
    sentBytes: 0,
  };
}

function add<K>(counts: Map<K, number>, key: K, value: number): void {
  const before = counts.get(key);
  if (before !== undefined || counts.size < MAX_KINDS) counts.set(key, (before ?? 0) + value);
}

/** Of connections that a policy forbids, and of those whose certificate was revoked. */
const DENIED_FLAGS: ReadonlySet<string> = new Set(['DENY', 'CERT_REVOKED']);
/** 401 and 403, as HTTP and as statuses of gRPC: UNAUTHENTICATED and PERMISSION_DENIED. */
const DENIED_CODES: ReadonlySet<string> = new Set(['401', '403', '200/7', '200/16']);

/** What a program answers so has an endpoint: that is its own refusal. */
function isRefusedByMesh(labels: Labels): boolean {
  const { destination_workload: destination = '' } = labels;
  return (destination === '' || destination === 'unknown') && DENIED_CODES.has(codeOf(labels));
}

function codeOf(labels: Labels): string {
  const { response_code: code = '0', grpc_response_status: grpc = '' } = labels;
  return grpc === '' ? code : `${code}/${grpc}`;
}

const KEY_LABELS = [
  'reporter',
  'source_workload_namespace',
  'source_workload',
  'source_principal',
  'source_canonical_service',
  'source_canonical_revision',
  'destination_service_namespace',
  'destination_service',
  'destination_workload_namespace',
  'destination_workload',
  'destination_principal',
  'destination_canonical_revision',
  'request_protocol',
  'connection_security_policy',
];

function edgeKey(labels: Labels): string {
  let key = '';
  for (const name of KEY_LABELS) key += `${labels[name] ?? ''}|`;
  return key;
}

function edgeOf(key: string, labels: Labels): Edge {
  const known = (name: string) => {
    const value = labels[name] ?? '';
    return value === 'unknown' ? '' : value;
  };
  const peer = (side: 'source' | 'destination'): EdgePeer => ({
    namespace: known(`${side}_workload_namespace`),
    workload: known(`${side}_workload`),
    canonicalService: known(`${side}_canonical_service`),
    revision: known(`${side}_canonical_revision`),
    principal: known(`${side}_principal`),
  });
  const reporter = labels['reporter'];
  return {
    key,
    reporter: reporter === 'waypoint' || reporter === 'destination' ? reporter : 'source',
    source: peer('source'),
    destination: peer('destination'),
    service: {
      namespace: known('destination_service_namespace'),
      name: known('destination_service_name'),
      hostname: known('destination_service'),
    },
    protocol: known('request_protocol') || 'tcp',
    mutualTls: labels['connection_security_policy'] === 'mutual_tls',
  };
}
