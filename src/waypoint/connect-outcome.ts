/** What it says about an endpoint that there is no connection to it. */
import type { ProxyError } from '../hbone/proxy-error.ts';
import type { Outcome } from './clusters.ts';

/** Undefined, which is nothing, where the waypoint has not what the connection takes: no endpoint is better then. */
export function connectOutcome({ code }: Pick<ProxyError, 'code'>): Outcome | undefined {
  return code === 'TLS_CREDENTIAL_UNUSABLE' ? undefined : { kind: 'connect-failure' };
}
