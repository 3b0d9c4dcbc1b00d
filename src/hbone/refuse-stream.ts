import { Http2Code } from '../http2/http2-error.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { type ProxyError, refusalStatus } from './proxy-error.ts';

/** Answers a CONNECT request with the status of its failure. A peer that takes no answer gets a reset: its stream would stay. */
export function refuseStream(stream: Http2Stream, error: ProxyError): void {
  if (!stream.respond([[':status', String(refusalStatus(error))]], true)) stream.reset(Http2Code.INTERNAL_ERROR);
}
