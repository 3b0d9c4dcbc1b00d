/** Routes, policies and rules for tokens of the L7 bench, as the feed brings them; `envoy-config.ts` has the same. */
import { compileJwtRules, poolRules } from '../../src/authn/jwt-rule.ts';
import { RequestPolicies } from '../../src/authz/request-policies.ts';
import { compileRequestPolicy } from '../../src/authz/request-policy.ts';
import { readObject } from '../../src/model/manifest/read-object.ts';
import type { HttpRoute } from '../../src/proto/gen/ambit.ts';
import { CompiledRoutes } from '../../src/routing/compile-routes.ts';
import { forwardRoute } from '../forward-route.ts';
import type { EngineConfiguration } from './plain-engine.ts';

export interface ConfigurationOptions {
  /** How many, each for a prefix of its own: `/api/<number>`. */
  readonly routes?: number;
  /** How many, each for an account and a method of its own; the last one is for everybody's GET. */
  readonly policies?: number;
  /** The keys of the issuer of tokens. */
  readonly jwks?: string;
}

export const ISSUER = 'issuer@bench.example';

export function engineConfiguration({ routes, policies, jwks }: ConfigurationOptions): EngineConfiguration {
  return {
    ...(routes !== undefined && { routes: routesOf(routes) }),
    ...(policies !== undefined && { policies: policiesOf(policies) }),
    ...(jwks !== undefined && { tokenRules: tokenRulesOf(jwks) }),
  };
}

function routesOf(count: number): NonNullable<EngineConfiguration['routes']> {
  const http = Array.from({ length: count }, (_, index) => route(index));
  const port = { port: 0, http, tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace: '' };
  const compiled = new CompiledRoutes({ ports: [port], session: undefined }).of(80, undefined);
  if (compiled === undefined) throw new Error('no routes');
  return compiled;
}

function route(index: number): HttpRoute {
  const path = { kind: { $case: 'pathPrefix' as const, pathPrefix: `/api/${index}` }, ignoreCase: false };
  const backend = { namespace: 'bench', hostname: 'site.bench.svc.cluster.local', port: 80, subset: '' };
  return forwardRoute(`r${index}`, { path }, [{ weight: 1, backend }]);
}

function policiesOf(count: number): NonNullable<EngineConfiguration['policies']> {
  const policies = Array.from({ length: count }, (_, index) => {
    const isLast = index === count - 1;
    const source = { principals: [`cluster.local/ns/bench/sa/client-${index}`] };
    const operation = { methods: [isLast ? 'GET' : 'POST'], paths: [isLast ? '/*' : `/orders/${index}/*`] };
    const rule = { ...(!isLast && { from: [{ source }] }), to: [{ operation }] };
    return compileRequestPolicy(objectOf('AuthorizationPolicy', `p${index}`, { action: 'ALLOW', rules: [rule] }));
  });
  return new RequestPolicies(policies);
}

function tokenRulesOf(jwks: string): NonNullable<EngineConfiguration['tokenRules']> {
  const object = objectOf('RequestAuthentication', 'tokens', { jwtRules: [{ issuer: ISSUER, jwks }] });
  const rules = poolRules(compileJwtRules(object));
  if (rules === undefined) throw new Error('no rules');
  return rules;
}

function objectOf<Kind extends 'AuthorizationPolicy' | 'RequestAuthentication'>(
  kind: Kind,
  name: string,
  spec: object,
) {
  const raw = { apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'bench' }, spec };
  const reading = readObject(raw, () => ({ file: 'bench', line: 1, column: 1 }));
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading));
  return reading.object as Extract<typeof reading.object, { readonly kind: Kind }>;
}
