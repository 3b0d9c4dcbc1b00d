/** A request for tests of formats: it has what is given, and nothing else. */
import type { FormatContext } from '../../src/format/format-context.ts';
import type { HttpHeader } from '../../src/http/http-stream.ts';

export interface FormatParts extends Partial<FormatContext> {
  readonly requestHeaders?: readonly HttpHeader[];
  readonly responseHeaders?: readonly HttpHeader[];
}

export function formatContext({ requestHeaders = [], responseHeaders = [], ...given }: FormatParts): FormatContext {
  const first = (headers: readonly HttpHeader[], name: string) => headers.find(([own]) => own === name)?.[1];
  return {
    startMs: 0,
    durationMs: 0,
    protocol: 'HTTP/1.1',
    responseCode: undefined,
    responseFlags: '',
    responseCodeDetails: undefined,
    downstreamRemoteAddress: '10.0.0.1:1000',
    downstreamLocalAddress: '10.96.0.1:80',
    downstreamPeerUriSan: undefined,
    requestedServerName: undefined,
    upstreamHost: undefined,
    upstreamCluster: undefined,
    attemptCount: undefined,
    bytesReceived: 0,
    bytesSent: 0,
    transportFailure: undefined,
    grpcStatus: '',
    traceId: undefined,
    requestMs: undefined,
    responseMs: undefined,
    routeName: '',
    requestId: '',
    hostname: '',
    requestHeader: (name) => first(requestHeaders, name),
    responseHeader: (name) => first(responseHeaders, name),
    ...given,
  };
}

/** For changes of headers that have nothing to fill in. */
export function NOTHING(): FormatContext {
  throw new Error('something is filled in');
}
