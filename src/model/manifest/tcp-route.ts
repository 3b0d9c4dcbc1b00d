/** TCPRoute and TLSRoute (gateway.networking.k8s.io; facts l7-and-control 4.4, C). */
import type { FieldReader } from './field-reader.ts';
import type { ObjectMeta } from './object-meta.ts';
import { type ParentRef, readParentRefs, readWeightedBackendRef, type WeightedBackendRef } from './route-refs.ts';

interface L4Route {
  readonly meta: ObjectMeta;
  readonly parents: readonly ParentRef[];
  readonly rules: readonly L4RouteRule[];
}

export interface L4RouteRule {
  readonly backends: readonly WeightedBackendRef[];
}

export interface TcpRouteObject extends L4Route {
  readonly kind: 'TCPRoute';
}

/** Its host names mean nothing between services, as those of an HTTPRoute. */
export interface TlsRouteObject extends L4Route {
  readonly kind: 'TLSRoute';
}

export function readTcpRoute(meta: ObjectMeta, root: FieldReader): TcpRouteObject {
  return { kind: 'TCPRoute', ...readL4Route(meta, root) };
}

export function readTlsRoute(meta: ObjectMeta, root: FieldReader): TlsRouteObject {
  root.child('spec').nonEmptyStrings('hostnames');
  return { kind: 'TLSRoute', ...readL4Route(meta, root) };
}

function readL4Route(meta: ObjectMeta, root: FieldReader): L4Route {
  const spec = root.child('spec');
  const rules = spec.children('rules').map((rule) => {
    rule.onlyKnown(['name', 'backendRefs']);
    return { backends: rule.children('backendRefs').map((ref) => readWeightedBackendRef(ref, meta.namespace)) };
  });
  return { meta, parents: readParentRefs(spec, meta.namespace), rules };
}
