/** What is wrong with a message of the peer, and the errors connections end with. */
import { AmbitError } from '../base/errors.ts';

/** Status that answers a request this side cannot take. */
export type FaultStatus = 400 | 408 | 414 | 431 | 501 | 505;

/** A violation by the peer: the status to answer a request with, and a diagnosis. */
export interface Http1Fault {
  readonly status: FaultStatus;
  readonly message: string;
}

/** Why a connection ended or an operation on it was not possible. */
export type Http1ErrorCode =
  | 'HTTP1_PROTOCOL_VIOLATION'
  | 'HTTP1_TRANSPORT_LOST'
  | 'HTTP1_NO_RESPONSE'
  | 'HTTP1_TIMEOUT'
  | 'HTTP1_NOT_ACCEPTING'
  | 'HTTP1_HEADERS_INVALID'
  | 'HTTP1_DESTROYED';

/** Makes a fault. */
export function fault(status: FaultStatus, message: string): Http1Fault {
  return { status, message };
}

/** A fault of the plain kind: the message breaks the grammar (400). */
export function malformed(message: string): Http1Fault {
  return { status: 400, message };
}

/** The error a connection ends with after a violation by its peer; its cause is the fault. */
export function violation(side: 'downstream' | 'upstream', problem: Http1Fault): AmbitError<Http1ErrorCode> {
  const code = problem.status === 408 ? 'HTTP1_TIMEOUT' : 'HTTP1_PROTOCOL_VIOLATION';
  return new AmbitError(code, `HTTP/1 peer broke the protocol: ${problem.message}`, { side, cause: problem });
}
