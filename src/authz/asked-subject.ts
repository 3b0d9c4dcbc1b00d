/** A request, or a connection without one, as rules of waypoints ask about it. */
import { ipToBytes } from '../model/address.ts';
import { AskedConnection } from './asked-connection.ts';
import { pathOf } from './path-match.ts';
import type { HttpSubject, RequestSubject } from './request-subject.ts';

const NOTHING: readonly never[] = [];

export class AskedSubject extends AskedConnection<RequestSubject> {
  /** Undefined on a connection that is not HTTP. */
  readonly http: HttpSubject | undefined;
  #principals: readonly string[] | undefined;
  #remoteIp: Uint8Array | undefined;
  #path: string | undefined;

  constructor(subject: RequestSubject) {
    super(subject);
    this.http = subject.http;
  }

  /** One, or none without an identity. */
  get principals(): readonly string[] {
    const { principal } = this;
    this.#principals ??= principal === undefined ? NOTHING : [principal];
    return this.#principals;
  }

  /** Without query and fragment; undefined on a connection that is not HTTP. */
  get path(): string | undefined {
    if (this.http !== undefined) this.#path ??= pathOf(this.http.path);
    return this.#path;
  }

  get remoteIp(): Uint8Array {
    this.#remoteIp ??= ipToBytes(this.subject.remoteIp);
    return this.#remoteIp;
  }
}
