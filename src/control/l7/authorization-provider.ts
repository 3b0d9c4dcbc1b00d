/** External authorizers in the form for waypoints (facts l7-and-control 6.6). */
import type { ExternalAuthorizer, HttpAuthorizer } from '../../model/extension-provider.ts';
import type { AuthorizationProvider, HttpCheck } from '../../proto/gen/ambit.ts';

export function buildAuthorizationProvider(authorizer: ExternalAuthorizer): AuthorizationProvider {
  const { name, namespace, hostname, port, timeoutMs, failOpen, statusOnError, clearRouteCache, body } = authorizer;
  return {
    name,
    namespace,
    hostname,
    port,
    timeoutMs,
    failOpen,
    statusOnError,
    clearRouteCache,
    body,
    http: authorizer.protocol === 'http' ? httpCheck(authorizer) : undefined,
  };
}

function httpCheck(authorizer: HttpAuthorizer): HttpCheck {
  const { pathPrefix, requestHeaders, additionalHeaders } = authorizer;
  const { toUpstreamOnAllow, toDownstreamOnDeny, toDownstreamOnAllow } = authorizer;
  return {
    pathPrefix,
    requestHeaders: [...requestHeaders],
    additionalHeaders: [...additionalHeaders].map(([name, value]) => ({ name, value })),
    toUpstreamOnAllow: [...toUpstreamOnAllow],
    toDownstreamOnDeny: [...toDownstreamOnDeny],
    toDownstreamOnAllow: [...toDownstreamOnAllow],
  };
}
