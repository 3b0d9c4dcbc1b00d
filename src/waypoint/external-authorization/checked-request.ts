/** What an external authorizer is told about. */
import type { RequestSubject } from '../../authz/request-subject.ts';
import type { HttpHeader } from '../../http/http-stream.ts';
import type { Workload } from '../../model/workload.ts';
import type { UpstreamVersion } from '../http-upstreams.ts';

/** The connection, and who is at its ends. */
export interface CheckedConnection {
  /** The waypoint's own workload. */
  readonly self: Workload;
  /** `ip:port`. */
  readonly clientAddress: string;
  readonly forwarded: string;
  readonly subject: Omit<RequestSubject, 'http'>;
}

export interface CheckedBody {
  readonly bytes: Buffer;
  /** Whether there is more of it. */
  readonly partial: boolean;
}

/** A request as its endpoint would see it. */
export interface CheckedRequest extends CheckedConnection {
  readonly spoken: UpstreamVersion;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** With the query. */
  readonly target: string;
  readonly requestId: string;
  /** Pseudo-headers first. */
  readonly headers: readonly HttpHeader[];
  /** Undefined where the authorizer does not want it. */
  readonly body: CheckedBody | undefined;
}

/** Says whether the body that comes with a check is all of it. */
export const PARTIAL_BODY_HEADER = 'x-envoy-auth-partial-body';
