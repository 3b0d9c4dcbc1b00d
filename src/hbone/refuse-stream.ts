import { Http2Code } from '../http2/http2-error.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { type ProxyError, proxyError, refusalStatus } from './proxy-error.ts';

/**
 * Answers a CONNECT request with the status of its failure. Where the answer cannot be sent (the peer takes no headers of that
 * size) the stream is reset: it would stay open.
 */
export function refuseStream(stream: Http2Stream, error: ProxyError): void {
  if (!stream.respond([[':status', String(refusalStatus(error))]], true)) stream.reset(Http2Code.INTERNAL_ERROR);
}

/** Of a peer that was let in, and takes no headers of the size that says so. */
export function unanswerable(): ProxyError {
  return proxyError('H2_FAILED', 'h2 failed: the answer to CONNECT cannot be sent', { side: 'downstream' });
}
