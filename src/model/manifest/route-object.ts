/** Routes of the Gateway API, of whatever kind. */
import type { GrpcRouteObject } from './grpc-route.ts';
import type { HttpRouteObject } from './http-route.ts';
import type { BackendRef } from './route-refs.ts';
import type { TcpRouteObject, TlsRouteObject } from './tcp-route.ts';

export type RouteObject = HttpRouteObject | GrpcRouteObject | TcpRouteObject | TlsRouteObject;

export const ROUTE_KINDS = ['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'] as const;
const KINDS: ReadonlySet<string> = new Set(ROUTE_KINDS);

/** Whether the object is a route. */
export function isRoute<T extends { readonly kind: string }>(
  object: T | undefined,
): object is Extract<T, { readonly kind: RouteObject['kind'] }> {
  return object !== undefined && KINDS.has(object.kind);
}

/** Every backend that the route names, mirrors too. */
export function backendsOf(route: RouteObject): BackendRef[] {
  if (route.kind === 'TCPRoute' || route.kind === 'TLSRoute') return route.rules.flatMap(({ backends }) => backends);
  return route.rules.flatMap(({ filters, backends }) => [
    ...backends,
    ...filters.flatMap((filter) => (filter.type === 'RequestMirror' ? [filter.backend] : [])),
  ]);
}
