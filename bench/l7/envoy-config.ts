/** Envoy's configuration for the bench: a plain proxy, or one side of a sidecar pair with mutual TLS between them. */
import { cluster, type EnvoyCredentials, httpFilter, mutualTls, socketAddress, TYPE } from '../envoy/config-parts.ts';
import { type ConfigurationOptions, ISSUER } from './engine-configuration.ts';

export interface EnvoyOptions extends ConfigurationOptions {
  readonly listen: { readonly address: string; readonly port: number };
  readonly upstream: { readonly address: string; readonly port: number };
  /** Set for the side that calls, or the one that is called, over mutual TLS. */
  readonly tls?: EnvoyCredentials & { readonly side: 'upstream' | 'downstream' };
  /** What the endpoint speaks; clients are asked. Default HTTP/1. */
  readonly spoken?: 'http1' | 'http2';
}

/** As JSON, which is YAML. No access log, no limits. */
export function envoyConfig({ listen, upstream, tls, spoken, ...configured }: EnvoyOptions): string {
  const virtualHost = { name: 'all', domains: ['*'], routes: routesOf(configured.routes) };
  const filters = [...tokenFilters(configured.jwks), ...policyFilters(configured.policies)];
  const filter = httpFilter('in', [virtualHost], filters);
  const socket = (side: 'upstream' | 'downstream') => (tls?.side === side ? mutualTls(side, tls) : {});
  return JSON.stringify({
    static_resources: {
      listeners: [
        {
          address: socketAddress(listen.address, listen.port),
          filter_chains: [{ filters: [filter], ...socket('downstream') }],
        },
      ],
      clusters: [
        {
          ...cluster('site', upstream.address, upstream.port),
          ...socket('upstream'),
          ...(spoken === 'http2' && HTTP2_ENDPOINT),
        },
      ],
    },
  });
}

const HTTP2_ENDPOINT = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function routesOf(count: number | undefined): object[] {
  const route = { cluster: 'site', timeout: '0s' };
  if (count === undefined) return [{ match: { prefix: '/' }, route }];
  return Array.from({ length: count }, (_, index) => ({
    name: `r${index}`,
    match: { path_separated_prefix: `/api/${index}` },
    route,
  }));
}

/** One filter for all of them, as Istio has ALLOW policies. */
function policyFilters(count: number | undefined): object[] {
  if (count === undefined) return [];
  const policies = Array.from({ length: count }, (_, index) => {
    const isLast = index === count - 1;
    const method = { header: { name: ':method', string_match: { exact: isLast ? 'GET' : 'POST' } } };
    const path = { url_path: { path: { prefix: isLast ? '/' : `/orders/${index}/` } } };
    const account = {
      authenticated: { principal_name: { exact: `spiffe://cluster.local/ns/bench/sa/client-${index}` } },
    };
    const policy = {
      permissions: [{ and_rules: { rules: [method, path] } }],
      principals: [isLast ? { any: true } : account],
    };
    return [`ns[bench]-policy[p${index}]-rule[0]`, policy];
  });
  const rules = { action: 'ALLOW', policies: Object.fromEntries(policies) };
  return [
    {
      name: 'envoy.filters.http.rbac',
      typed_config: { '@type': `${TYPE}.filters.http.rbac.v3.RBAC`, rules },
    },
  ];
}

/** As Istio has a RequestAuthentication: tokens may be left out, and are forwarded. */
function tokenFilters(jwks: string | undefined): object[] {
  if (jwks === undefined) return [];
  const provider = { issuer: ISSUER, local_jwks: { inline_string: jwks }, payload_in_metadata: 'payload' };
  const requires = { requires_any: { requirements: [{ provider_name: 'bench' }, { allow_missing: {} }] } };
  return [
    {
      name: 'envoy.filters.http.jwt_authn',
      typed_config: {
        '@type': `${TYPE}.filters.http.jwt_authn.v3.JwtAuthentication`,
        providers: { bench: provider },
        rules: [{ match: { prefix: '/' }, requires }],
      },
    },
  ];
}
