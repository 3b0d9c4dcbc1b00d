/** What L7 policies can see of a request, or of a connection that carries none (facts l7-and-control 3.1). */
import type { IpAddress } from '../model/address.ts';
import type { ConnectionFacts } from './asked-connection.ts';

/** The claims of a token that was verified. */
export type TokenClaims = Readonly<Record<string, unknown>>;

export interface HttpSubject {
  /** With the port if the client sent one. */
  readonly authority: string;
  readonly method: string;
  /** The normalised target, query included. */
  readonly path: string;
  /** The values of a header, one for each field that has the name, which is in lower case; empty without any. */
  headerValues(name: string): readonly string[];
  readonly token: TokenClaims | undefined;
}

export interface RequestSubject extends ConnectionFacts {
  /** The client, as trusted proxies in front of it say. */
  readonly remoteIp: IpAddress;
  readonly sni: string | undefined;
  /** Undefined on a connection that is not HTTP. */
  readonly http: HttpSubject | undefined;
}
