/** Answers that the waypoint gives itself, and how each is seen from outside (facts l7-and-control 8.5, 10.4). */
import type { HttpHeader, HttpStream } from '../http/http-stream.ts';

/** The flags of access logs and metrics. */
export type HttpResponseFlag =
  | '-'
  | 'UH'
  | 'UF'
  | 'UC'
  | 'UR'
  | 'UO'
  | 'UT'
  | 'NR'
  | 'NC'
  | 'FI'
  | 'DI'
  | 'URX'
  | 'DC'
  | 'DPE'
  | 'UPE'
  | 'OM'
  | 'UAEX';

export interface LocalReply {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly flag: HttpResponseFlag;
  /** The response code details of the access log. */
  readonly details: string;
  /** Besides those that every answer has. */
  readonly headers?: readonly HttpHeader[];
  /** In place of the one that follows from the status. */
  readonly grpcStatus?: number;
}

const UPSTREAM_FAILED = 'upstream connect error or disconnect/reset before headers. reset reason: ';
const RETRIED = 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ';

/** By what went wrong. */
export const LOCAL_REPLIES = {
  badRequest: { status: 400, body: '', flag: 'DPE', details: 'http.bad_request' },
  upgradeRefused: { status: 403, body: '', flag: '-', details: 'upgrade_failed' },
  noRoute: { status: 404, body: '', flag: 'NR', details: 'route_not_found' },
  noHealthyUpstream: { status: 503, body: 'no healthy upstream', flag: 'UH', details: 'no_healthy_upstream' },
  connectFailed: {
    status: 503,
    body: `${UPSTREAM_FAILED}remote connection failure`,
    flag: 'UF',
    details: 'upstream_reset_before_response_started{remote_connection_failure}',
  },
  upstreamTerminated: {
    status: 503,
    body: `${UPSTREAM_FAILED}connection termination`,
    flag: 'UC',
    details: 'upstream_reset_before_response_started{connection_termination}',
  },
  upstreamReset: {
    status: 503,
    body: `${UPSTREAM_FAILED}remote reset`,
    flag: 'UR',
    details: 'upstream_reset_before_response_started{remote_reset}',
  },
  upstreamOverflow: {
    status: 503,
    body: `${UPSTREAM_FAILED}overflow`,
    flag: 'UO',
    details: 'upstream_reset_before_response_started{overflow}',
    headers: [['x-envoy-overloaded', 'true']],
  },
  upstreamProtocolError: {
    status: 502,
    body: `${UPSTREAM_FAILED}protocol error`,
    flag: 'UPE',
    details: 'upstream_reset_before_response_started{protocol_error}',
  },
  payloadTooLarge: { status: 413, body: 'Payload Too Large', flag: '-', details: 'request_payload_too_large' },
  targetTooCostly: { status: 414, body: 'URI Too Long', flag: '-', details: 'regex_budget_exceeded{target}' },
  headerTooCostly: {
    status: 431,
    body: 'Request Header Fields Too Large',
    flag: '-',
    details: 'regex_budget_exceeded{header}',
  },
  overloaded: {
    status: 503,
    body: 'envoy overloaded',
    flag: 'OM',
    details: 'overload',
    headers: [['x-envoy-local-overloaded', 'true']],
  },
  requestTimeout: { status: 504, body: 'upstream request timeout', flag: 'UT', details: 'response_timeout' },
  tryTimeout: { status: 504, body: 'upstream request timeout', flag: 'UT', details: 'upstream_per_try_timeout' },
} as const satisfies Record<string, LocalReply>;

/** What a request is told that is too long for the regular expressions of its routes. */
export function tooCostly(place: 'target' | 'header'): LocalReply {
  return place === 'target' ? LOCAL_REPLIES.targetTooCostly : LOCAL_REPLIES.headerTooCostly;
}

/** What a request is told that no policy lets through. @param rule the rule that decided, `none` without one */
export function accessDenied(rule: string): LocalReply {
  const body = 'RBAC: access denied';
  return { status: 403, body, flag: '-', details: `rbac_access_denied_matched_policy[${rule}]` };
}

/** What a request is told whose backend does not exist. */
export function clusterMissing(status: number): LocalReply {
  return { status, body: '', flag: 'NC', details: 'cluster_not_found' };
}

/** What a request is told that a fault was made up for. */
export function faultAbort(status: number, grpcStatus: number | undefined): LocalReply {
  const reply: LocalReply = { status, body: 'fault filter abort', flag: 'FI', details: 'fault_filter_abort' };
  return grpcStatus === undefined ? reply : { ...reply, grpcStatus };
}

/** The same answer after several tries. */
export function afterRetries(reply: LocalReply): LocalReply {
  if (typeof reply.body !== 'string') return reply;
  return { ...reply, body: reply.body.replace(UPSTREAM_FAILED, RETRIED) };
}

export interface ReplyOptions {
  readonly isGrpc: boolean;
  readonly isHead: boolean;
  /** Wall clock. */
  readonly nowMs: number;
  /** What the route changes of responses. */
  change(headers: readonly HttpHeader[]): readonly HttpHeader[];
}

const SERVER: HttpHeader = ['server', 'istio-envoy'];

/** Sends the answer and ends this side; a gRPC client gets it as a status in a response without a body. */
export function sendLocalReply(
  stream: HttpStream,
  reply: LocalReply,
  { isGrpc, isHead, nowMs, change }: ReplyOptions,
): void {
  const own = reply.headers ?? [];
  const isDated = own.some(([name]) => name === 'date');
  const given: readonly HttpHeader[] = isDated ? own : [...own, ['date', new Date(nowMs).toUTCString()]];
  const body = Buffer.from(reply.body);
  if (isGrpc || reply.grpcStatus !== undefined) {
    const more = given.filter(([name]) => name !== 'content-type');
    const headers: HttpHeader[] = [
      [':status', '200'],
      ['content-type', 'application/grpc'],
      ['grpc-status', String(grpcStatusOf(reply))],
      ['grpc-message', grpcMessage(body)],
      ...more,
      SERVER,
    ];
    if (!stream.respond(change(headers), true)) respondPlainly(stream);
    return;
  }
  const isTyped = body.length === 0 || given.some(([name]) => name === 'content-type');
  const type: HttpHeader[] = isTyped ? [] : [['content-type', 'text/plain']];
  const headers: HttpHeader[] = [
    [':status', String(reply.status)],
    ['content-length', String(body.length)],
    ...type,
    ...given,
    SERVER,
  ];
  const withoutBody = isHead || body.length === 0;
  if (!stream.respond(change(headers), withoutBody)) respondPlainly(stream);
  else if (!withoutBody) stream.end(body);
}

/** What a route wants said cannot be written: the client is told that something is wrong rather than nothing. */
function respondPlainly(stream: HttpStream): void {
  if (stream.state === 'closed') return;
  if (!stream.respond([[':status', '500'], ['content-length', '0'], SERVER], true)) stream.reset();
}

const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const GRPC_UNKNOWN = 2;

/** The status of gRPC that says the same as the answer. */
export function grpcStatusOf({ status, grpcStatus }: Pick<LocalReply, 'status' | 'grpcStatus'>): number {
  return grpcStatus ?? GRPC_STATUS[status] ?? GRPC_UNKNOWN;
}

const MAX_GRPC_MESSAGE_BYTES = 1024;

/** Printable ASCII but `%`; all other bytes as escapes (gRPC over HTTP/2, Status-Message). */
function grpcMessage(body: Buffer): string {
  let text = '';
  for (const byte of body.subarray(0, MAX_GRPC_MESSAGE_BYTES)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
