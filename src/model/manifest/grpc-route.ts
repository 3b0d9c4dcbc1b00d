/** GRPCRoute (gateway.networking.k8s.io; facts l7-and-control 4.4, C). */
import type { FieldReader } from './field-reader.ts';
import { type HttpRouteRule, NO_LIMITS, readRouteActions, rulesOf, unusedFields } from './http-route.ts';
import type { ObjectMeta } from './object-meta.ts';
import { readGrpcMatches } from './route-matches.ts';
import { type ParentRef, readParentRefs } from './route-refs.ts';
import { readSessionPersistence } from './session-persistence.ts';

export interface GrpcRouteObject {
  readonly kind: 'GRPCRoute';
  readonly meta: ObjectMeta;
  readonly parents: readonly ParentRef[];
  readonly rules: readonly HttpRouteRule[];
}

export function readGrpcRoute(meta: ObjectMeta, root: FieldReader): GrpcRouteObject {
  const spec = root.child('spec');
  const rules = rulesOf(spec).map((rule) => {
    rule.onlyKnown(['name', 'matches', 'filters', 'backendRefs', 'sessionPersistence']);
    const matches = readGrpcMatches(rule);
    const session = readSessionPersistence(rule);
    return { ...NO_LIMITS, matches, ...readRouteActions(rule, meta.namespace), session, unused: unusedFields(rule) };
  });
  return { kind: 'GRPCRoute', meta, parents: readParentRefs(spec, meta.namespace), rules };
}
