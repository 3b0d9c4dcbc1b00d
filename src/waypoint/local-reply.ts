/** Answers that the waypoint gives itself, and how each is seen from outside (facts l7-and-control 8.5, 10.4). */
import type { HttpHeader, HttpStream } from '../http/http-stream.ts';

/** The flags of access logs and metrics. */
export type HttpResponseFlag = '-' | 'UH' | 'UF' | 'UC' | 'UR' | 'NR' | 'DC' | 'DPE' | 'UPE';

export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly flag: HttpResponseFlag;
  /** The response code details of the access log. */
  readonly details: string;
}

const UPSTREAM_FAILED = 'upstream connect error or disconnect/reset before headers. reset reason: ';

/** By what went wrong. */
export const LOCAL_REPLIES = {
  badRequest: { status: 400, body: '', flag: 'DPE', details: 'http.bad_request' },
  upgradeRefused: { status: 403, body: '', flag: '-', details: 'upgrade_failed' },
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
  upstreamProtocolError: {
    status: 502,
    body: `${UPSTREAM_FAILED}protocol error`,
    flag: 'UPE',
    details: 'upstream_reset_before_response_started{protocol_error}',
  },
} as const satisfies Record<string, LocalReply>;

/** What a request is told that no policy lets through. @param rule the rule that decided, `none` without one */
export function accessDenied(rule: string): LocalReply {
  const body = 'RBAC: access denied';
  return { status: 403, body, flag: '-', details: `rbac_access_denied_matched_policy[${rule}]` };
}

const GRPC_UNAVAILABLE = 14;
const GRPC_PERMISSION_DENIED = 7;
const GRPC_UNAUTHENTICATED = 16;

/** Sends the answer and ends this side; a gRPC client gets it as a status in a response without a body. */
export function sendLocalReply(
  stream: HttpStream,
  reply: LocalReply,
  { isGrpc, isHead }: { readonly isGrpc: boolean; readonly isHead: boolean },
): void {
  const server: HttpHeader = ['server', 'istio-envoy'];
  if (isGrpc) {
    stream.respond(
      [
        [':status', '200'],
        ['content-type', 'application/grpc'],
        ['grpc-status', String(grpcStatus(reply.status))],
        ['grpc-message', reply.body],
        server,
      ],
      true,
    );
    return;
  }
  const body = Buffer.from(reply.body);
  const headers: HttpHeader[] = [
    [':status', String(reply.status)],
    ['content-length', String(body.length)],
    ['content-type', 'text/plain'],
    server,
  ];
  const withoutBody = isHead || body.length === 0;
  if (stream.respond(headers, withoutBody) && !withoutBody) stream.end(body);
}

function grpcStatus(status: number): number {
  if (status === 403) return GRPC_PERMISSION_DENIED;
  return status === 401 ? GRPC_UNAUTHENTICATED : GRPC_UNAVAILABLE;
}
