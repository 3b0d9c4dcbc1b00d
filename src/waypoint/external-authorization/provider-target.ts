/** Where an external authorizer is (facts l7-and-control 6.6). */
import { fail, ok, type Result } from '../../base/result.ts';
import type { AuthorizationProvider } from '../../proto/gen/ambit.ts';
import { backendTarget, type RouteTarget, type RouteTargetDeps } from '../route-target.ts';

/** Its service in the mesh; without a namespace, the only one of that host name. @returns a reason when there is none */
export function providerTarget(provider: AuthorizationProvider, deps: RouteTargetDeps): Result<RouteTarget, string> {
  const { hostname, port, http } = provider;
  let { namespace } = provider;
  if (namespace === '') {
    const [first, ...others] = deps.state.servicesByHostname(hostname);
    if (first === undefined) return fail(`there is no service ${hostname}`);
    if (others.length > 0) return fail(`several namespaces have a service ${hostname}: write NAMESPACE/${hostname}`);
    namespace = first.namespace;
  }
  const backend = { namespace, hostname, port, subset: '' };
  const target = backendTarget(backend, port, http === undefined ? 'http2' : 'http1', deps);
  if (target === undefined) return fail(`there is no service ${namespace}/${hostname} with port ${port}`);
  // gRPC is HTTP/2, whatever the name of the port says.
  return ok(http === undefined ? { ...target, version: 'http2' } : target);
}
