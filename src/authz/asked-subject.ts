/** A subject as rules ask about it: what several of them derive from it is made once, when the first one asks. */
import { ipToBytes } from '../model/address.ts';
import { principalOf, spiffeId } from '../model/spiffe.ts';
import { pathOf } from './path-match.ts';
import type { HttpSubject, RequestSubject } from './request-subject.ts';

const NOTHING: readonly never[] = [];

export class AskedSubject {
  readonly subject: RequestSubject;
  /** Undefined on a connection that is not HTTP. */
  readonly http: HttpSubject | undefined;
  #principals: readonly string[] | undefined;
  #sourceIp: Uint8Array | undefined;
  #remoteIp: Uint8Array | undefined;
  #destinationIp: Uint8Array | undefined;
  #path: string | undefined;

  constructor(subject: RequestSubject) {
    this.subject = subject;
    this.http = subject.http;
  }

  /** One, or none without an identity. */
  get principals(): readonly string[] {
    const { identity } = this.subject;
    this.#principals ??= identity === undefined ? NOTHING : [principalOf(spiffeId(identity))];
    return this.#principals;
  }

  /** Without query and fragment; undefined on a connection that is not HTTP. */
  get path(): string | undefined {
    if (this.http !== undefined) this.#path ??= pathOf(this.http.path);
    return this.#path;
  }

  /** As bytes, as `remoteIp` and `destinationIp` are. */
  get sourceIp(): Uint8Array {
    this.#sourceIp ??= ipToBytes(this.subject.sourceIp);
    return this.#sourceIp;
  }

  get remoteIp(): Uint8Array {
    this.#remoteIp ??= ipToBytes(this.subject.remoteIp);
    return this.#remoteIp;
  }

  /** Undefined when the connection was addressed by name. */
  get destinationIp(): Uint8Array | undefined {
    const { destinationIp } = this.subject;
    if (destinationIp !== undefined) this.#destinationIp ??= ipToBytes(destinationIp);
    return this.#destinationIp;
  }
}
