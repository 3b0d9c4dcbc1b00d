/** Envoy's configuration for the bench: a plain proxy, or one side of a sidecar pair with mutual TLS between them. */

export interface EnvoyOptions {
  readonly listen: { readonly address: string; readonly port: number };
  readonly upstream: { readonly address: string; readonly port: number };
  /** PEM files; set for the side that calls, or the one that is called, over mutual TLS. */
  readonly tls?: { readonly side: 'upstream' | 'downstream'; readonly ca: string; readonly leaf: string };
}

const TYPE = 'type.googleapis.com/envoy.extensions';

/** As JSON, which is YAML. One route, no access log, no limits, as a sidecar without policies. */
export function envoyConfig({ listen, upstream, tls }: EnvoyOptions): string {
  const address = ({ address: host, port }: EnvoyOptions['listen']) => ({
    socket_address: { address: host, port_value: port },
  });
  const filter = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: 'site', timeout: '0s' } }],
          },
        ],
      },
      http_filters: [
        { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
    },
  };
  const common = tls && {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: tls.leaf }, private_key: { filename: tls.leaf } }],
    validation_context: { trusted_ca: { filename: tls.ca } },
  };
  const socket = (side: 'upstream' | 'downstream') =>
    tls?.side !== side
      ? {}
      : {
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': `${TYPE}.transport_sockets.tls.v3.${side === 'upstream' ? 'Upstream' : 'Downstream'}TlsContext`,
              common_tls_context: common,
              ...(side === 'downstream' && { require_client_certificate: true }),
            },
          },
        };
  const endpoint = { endpoint: { address: address(upstream) } };
  return JSON.stringify({
    static_resources: {
      listeners: [{ address: address(listen), filter_chains: [{ filters: [filter], ...socket('downstream') }] }],
      clusters: [
        {
          name: 'site',
          type: 'STATIC',
          load_assignment: { cluster_name: 'site', endpoints: [{ lb_endpoints: [endpoint] }] },
          ...socket('upstream'),
        },
      ],
    },
  });
}
