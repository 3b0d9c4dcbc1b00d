/** What the access log says of bytes that no request could be read from (facts l7-and-control 8.5, 10.4). */
import type { AmbitError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Http1Fault } from '../http1/http1-fault.ts';
import type { PeerLabels } from '../telemetry/traffic-labels.ts';
import type { ConnectTarget } from './connect-target.ts';
import type { HttpResponseFlag } from './local-reply.ts';
import type { DownstreamConnection } from './tunnels.ts';

const FLAG: HttpResponseFlag = 'DPE';
/** Codes of errors that a client's own bytes made, by what they were to be. */
const DETAILS: Readonly<Record<string, string>> = {
  HTTP1_PROTOCOL_VIOLATION: 'http1.codec_error',
  HTTP2_PROTOCOL_VIOLATION: 'http2.codec_error',
  HTTP2_FLOOD: 'http2.too_many_frames',
};

/** One line, and one record of a tap, for a connection that ended because the client broke the protocol; none for any other end. */
export function logViolation(
  { code, message, cause }: AmbitError,
  { clientAddress, peerIdentity }: DownstreamConnection,
  client: PeerLabels,
  target: ConnectTarget,
  log: Logger,
): void {
  const details = DETAILS[code];
  if (details === undefined) return;
  const service = target.kind === 'service' ? target.service : undefined;
  log.warn('bad request', {
    response_code: statusOf(cause),
    response_flags: FLAG,
    response_code_details: details,
    'src.addr': clientAddress,
    'src.workload': client.workload || undefined,
    'src.namespace': client.namespace || undefined,
    'src.identity': peerIdentity,
    'dst.service': service?.hostname,
    'dst.namespace': service?.namespace,
    error: message,
  });
}

/** With which HTTP/1 answers; HTTP/2 ends without one. */
function statusOf(cause: unknown): number | undefined {
  const { status } = (cause ?? {}) as Partial<Http1Fault>;
  return status;
}
