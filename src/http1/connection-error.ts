/** Errors that HTTP/1 connections of both roles end with. */
import { AmbitError, type RetryClass } from '../base/errors.ts';
import type { Http1ErrorCode } from './http1-fault.ts';

/** The transport ended although an exchange was going on. */
export function lostError(side: 'downstream' | 'upstream', cause: Error | undefined): AmbitError<Http1ErrorCode> {
  const detail = cause === undefined ? 'the peer closed it' : cause.message;
  return new AmbitError('HTTP1_TRANSPORT_LOST', `HTTP/1 connection lost: ${detail}`, { side, cause });
}

/** The server closed the connection before any byte of its response. */
export function noResponseError(retry: RetryClass, cause: Error | undefined): AmbitError<Http1ErrorCode> {
  const detail = cause === undefined ? 'the server closed it' : cause.message;
  return new AmbitError('HTTP1_NO_RESPONSE', `HTTP/1 connection ended before a response: ${detail}`, {
    side: 'upstream',
    retry,
    cause,
  });
}

/** This side closed the connection. */
export function destroyedError(): AmbitError<Http1ErrorCode> {
  return new AmbitError('HTTP1_DESTROYED', 'HTTP/1 connection was destroyed by this side');
}
