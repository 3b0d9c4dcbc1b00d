/**
 * Why a connection through the proxy failed. The texts are those that operators search for (facts ztunnel-wire 11.3);
 * one table maps each code to the response flag of metrics and logs and to the status that a tunnel peer sees (7.3).
 */
import { AmbitError, type AmbitErrorOptions, type ErrorSide } from '../base/errors.ts';
import type { TlsError } from '../tls/mesh-tls.ts';

/** The value of the metric label `response_flags`. */
export type ResponseFlag =
  | '-'
  | 'DENY'
  | 'CONNECT'
  | 'TLS_FAILURE'
  | 'H2_HANDSHAKE_FAILURE'
  | 'NETWORK_POLICY'
  | 'IDENTITY_ERROR'
  | 'CERT_REVOKED';

/** How each failure is seen from outside: response flag, status to the tunnel peer, whose fault it is. */
const OUTCOMES = {
  POLICY_DENIED: ['DENY', 401, 'downstream'],
  POLICY_CHANGED: ['DENY', 401, 'downstream'],
  CERTIFICATE_REVOKED: ['CERT_REVOKED', 401, 'downstream'],
  NOT_CONNECT: ['CONNECT', 400, 'downstream'],
  INVALID_AUTHORITY: ['CONNECT', 400, 'downstream'],
  IP_MISMATCH: ['CONNECT', 400, 'downstream'],
  RECURSIVE_CALL: ['CONNECT', 503, 'downstream'],
  UNKNOWN_LOCAL_WORKLOAD: ['CONNECT', 503, 'internal'],
  UNKNOWN_WAYPOINT: ['CONNECT', 503, 'upstream'],
  UNKNOWN_NETWORK_GATEWAY: ['CONNECT', 503, 'upstream'],
  UNKNOWN_HOSTNAME: ['CONNECT', 503, 'downstream'],
  NO_ANSWER: ['CONNECT', 503, 'internal'],
  NO_HEALTHY_UPSTREAM: ['CONNECT', 503, 'upstream'],
  UPSTREAM_OVERFLOW: ['CONNECT', 503, 'upstream'],
  NO_SERVICE_FOR_TARGET: ['CONNECT', 503, 'internal'],
  NO_RESOLVED_ADDRESS: ['CONNECT', 503, 'upstream'],
  NO_SERVICE_PORT: ['CONNECT', 503, 'downstream'],
  NO_SERVICE_ADDRESS: ['CONNECT', 503, 'internal'],
  CONNECT_FAILED: ['CONNECT', 503, 'upstream'],
  CONNECT_TIMED_OUT: ['NETWORK_POLICY', 503, 'upstream'],
  TLS_FAILED: ['TLS_FAILURE', 503, 'upstream'],
  TLS_CREDENTIAL_UNUSABLE: ['TLS_FAILURE', 503, 'internal'],
  H2_HANDSHAKE_FAILED: ['H2_HANDSHAKE_FAILURE', 503, 'upstream'],
  H2_FAILED: ['H2_HANDSHAKE_FAILURE', 503, 'upstream'],
  HTTP_STATUS: ['CONNECT', 503, 'upstream'],
  IDENTITY: ['IDENTITY_ERROR', 503, 'internal'],
  IO: ['CONNECT', 503, 'upstream'],
  DESTINATION_DISCONNECTED: ['CONNECT', 503, 'upstream'],
  CLIENT_DISCONNECTED: ['CONNECT', 503, 'downstream'],
  DRAINED: ['CONNECT', 503, 'internal'],
  TOO_MANY_CONNECTIONS: ['CONNECT', 503, 'downstream'],
  POOL_DRAINING: ['CONNECT', 503, 'internal'],
} as const satisfies Record<string, readonly [ResponseFlag, number, ErrorSide]>;

export type ProxyErrorCode = keyof typeof OUTCOMES;
export type ProxyError = AmbitError<ProxyErrorCode>;

/** A failure with its text; side and retry class follow from the code. */
export function proxyError(code: ProxyErrorCode, message: string, options: AmbitErrorOptions = {}): ProxyError {
  return new AmbitError(code, message, { side: OUTCOMES[code][2], ...options });
}

/** The response flag of an outcome; `undefined` is success. */
export function responseFlag(error: ProxyError | undefined): ResponseFlag {
  return error === undefined ? '-' : OUTCOMES[error.code][0];
}

/** The HTTP status with which a CONNECT request is refused. */
export function refusalStatus(error: ProxyError): number {
  return OUTCOMES[error.code][1];
}

/** Why a TLS handshake did not come up. */
export function tlsFailed(error: TlsError): ProxyError {
  if (error.code === 'TLS_PEER_REVOKED')
    return proxyError('CERTIFICATE_REVOKED', `connection closed: ${error.message}`);
  return proxyError('TLS_FAILED', `tls error: ${error.message}`, { cause: error });
}

/** `connection closed due to policy rejection: <reason>`. */
export function policyDenied(reason: string): ProxyError {
  return proxyError('POLICY_DENIED', `connection closed due to policy rejection: ${reason}`);
}
