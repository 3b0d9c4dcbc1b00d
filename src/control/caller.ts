/** Who calls: bearer tokens in the shape of Kubernetes' bound service account tokens (facts ztunnel-wire 5.1, 10.3). */
import type { AmbitError } from '../base/errors.ts';
import type { Result } from '../base/result.ts';

export type TokenErrorCode =
  | 'TOKEN_MISSING'
  | 'TOKEN_INVALID'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_KEYS_UNREADABLE'
  | 'TOKEN_REVIEW_FAILED';

/** A service account, and the pod to which its token is bound. */
export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Empty when the token is not bound to a pod. */
  readonly podName: string;
  readonly podUid: string;
  /** The node as the token says; empty when it does not. */
  readonly nodeName: string;
}

/** Tells who sent a token. Implementations: a key file, and TokenReview on Kubernetes. */
export interface TokenAuthenticator {
  authenticate(token: string): Promise<Result<Caller, AmbitError<TokenErrorCode>>>;
}

const SUBJECT = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/;

/** The account of a token's subject; undefined for people and nodes. */
export function callerOfSubject(subject: string): Pick<Caller, 'namespace' | 'serviceAccount'> | undefined {
  const [, namespace, serviceAccount] = SUBJECT.exec(subject) ?? [];
  return namespace === undefined || serviceAccount === undefined ? undefined : { namespace, serviceAccount };
}

/** The token of an `authorization` header; empty when it carries none. */
export function bearerToken(authorization: string): string {
  const [, token = ''] = /^bearer\s+(\S+)\s*$/i.exec(authorization) ?? [];
  return token;
}
