/** Where a provider of MeshConfig is: an external authorizer, a collector (facts l7-and-control 6.6, 8.1). */
import { fail, ok, type Result } from '../../base/result.ts';
import { backendTarget, type RouteTarget, type RouteTargetDeps } from '../route-target.ts';

export interface ProviderAddress {
  /** Empty for the only service of that host name. */
  readonly namespace: string;
  readonly hostname: string;
  readonly port: number;
  readonly isGrpc: boolean;
}

/** Its service in the mesh; without a namespace, the only one of that host name. @returns a reason when there is none */
export function providerTarget(provider: ProviderAddress, deps: RouteTargetDeps): Result<RouteTarget, string> {
  const { hostname, port, isGrpc } = provider;
  let { namespace } = provider;
  if (namespace === '') {
    const [first, ...others] = deps.state.servicesByHostname(hostname);
    if (first === undefined) return fail(`there is no service ${hostname}`);
    if (others.length > 0) return fail(`several namespaces have a service ${hostname}: write NAMESPACE/${hostname}`);
    namespace = first.namespace;
  }
  const backend = { namespace, hostname, port, subset: '' };
  const target = backendTarget(backend, port, isGrpc ? 'http2' : 'http1', deps);
  if (target === undefined) return fail(`there is no service ${namespace}/${hostname} with port ${port}`);
  // gRPC is HTTP/2, whatever the name of the port says.
  return ok(isGrpc ? { ...target, version: 'http2' } : target);
}
