/** The phase before authorization: the token of a request, if it has one (facts l7-and-control 3.3, 10.4). */
import type { TokenRules } from '../authn/jwt-rule.ts';
import type { Claims } from '../authn/read-token.ts';
import type { TokenAuthenticator, TokenOutcome } from '../authn/token-authenticator.ts';
import { TOKEN_FAILURES, type TokenFailure } from '../authn/token-failure.ts';
import type { LocalReply } from './local-reply.ts';
import type { RequestFields } from './request-fields.ts';

export interface AuthenticationEvents {
  /** The request may go on, as it is now. @param claims of its token */
  onPassed(claims: Claims | undefined): void;
  onRefused(reply: LocalReply): void;
}

const MAX_REALM_CHARACTERS = 256;

/**
 * Reports once, at once unless a signature has to be verified. The request loses its token where the rule wants that, and
 * gets the headers that the rule writes.
 */
export function authenticateRequest(
  request: RequestFields,
  rules: TokenRules,
  tokens: TokenAuthenticator,
  { onPassed, onRefused }: AuthenticationEvents,
): void {
  const settle = (outcome: TokenOutcome) => {
    if (!outcome.ok) return onRefused(tokenRefused(outcome.error, request));
    request.replace(outcome.value);
    onPassed(outcome.value.claims);
  };
  // Browsers ask without credentials.
  const pool = isPreflight(request) ? { ...rules, rules: [] } : rules;
  const outcome = tokens.authenticate(pool, request);
  if (outcome instanceof Promise) void outcome.then(settle);
  else settle(outcome);
}

function isPreflight(request: RequestFields): boolean {
  if (request.method !== 'OPTIONS') return false;
  return Boolean(request.header('origin')) && Boolean(request.header('access-control-request-method'));
}

function tokenRefused(failure: TokenFailure, { scheme, authority, path }: RequestFields): LocalReply {
  const body = TOKEN_FAILURES[failure];
  const realm = `${scheme}://${authority}${path}`.slice(0, MAX_REALM_CHARACTERS).replace(/["\\]/g, '\\$&');
  return {
    status: failure === 'audience' ? 403 : 401,
    body,
    flag: '-',
    details: `jwt_authn_access_denied{${body.replaceAll(' ', '_')}}`,
    headers: [['www-authenticate', `Bearer realm="${realm}", error="invalid_token"`]],
  };
}
