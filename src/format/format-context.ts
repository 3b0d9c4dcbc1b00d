/** What operators of a format are filled in from: one request and, as far as there is one, its response. */
export interface FormatContext {
  /** When the request began, of the wall clock. */
  readonly startMs: number;
  readonly durationMs: number;
  /** What the client speaks: `HTTP/1.1` or `HTTP/2`. */
  readonly protocol: string;
  /** Undefined before there is a response; so are all that follow from one. */
  readonly responseCode: number | undefined;
  /** Short names, separated by commas; empty for none. */
  readonly responseFlags: string;
  readonly responseCodeDetails: string | undefined;
  /** `ip:port`. */
  readonly downstreamRemoteAddress: string;
  /** `ip:port` that the client called. */
  readonly downstreamLocalAddress: string;
  /** The SPIFFE ID of the client. */
  readonly downstreamPeerUriSan: string | undefined;
  readonly requestedServerName: string | undefined;
  /** `ip:port` of the endpoint. */
  readonly upstreamHost: string | undefined;
  readonly upstreamCluster: string | undefined;
  readonly attemptCount: number | undefined;
  /** Of bodies; so far, or in all when the request is over. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Why there was no connection to an endpoint. */
  readonly transportFailure: string | undefined;
  /** Of gRPC, as a number; empty for what is not. */
  readonly grpcStatus: string;
  /** Undefined for a request that no trace knows. */
  readonly traceId: string | undefined;
  /** From the start until all of the request was there; undefined before. */
  readonly requestMs: number | undefined;
  /** From the start until the response began; undefined before. */
  readonly responseMs: number | undefined;
  readonly routeName: string;
  readonly requestId: string;
  /** Of the proxy. */
  readonly hostname: string;
  /** The first value of a header, by its name in lower case. */
  requestHeader(name: string): string | undefined;
  responseHeader(name: string): string | undefined;
}
