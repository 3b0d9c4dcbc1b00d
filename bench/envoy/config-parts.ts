/** Parts of the configuration of the benches' Envoys. */

export const TYPE = 'type.googleapis.com/envoy.extensions';

/** PEM files, as `peerCredentials` writes them. */
export interface EnvoyCredentials {
  readonly ca: string;
  readonly leaf: string;
}

/** Mutual TLS 1.3 with each other. @param side whom it calls, or who calls it @returns what a cluster or a filter chain is extended by */
export function mutualTls(side: 'upstream' | 'downstream', { ca, leaf }: EnvoyCredentials): object {
  const kind = side === 'upstream' ? 'UpstreamTlsContext' : 'DownstreamTlsContext';
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `${TYPE}.transport_sockets.tls.v3.${kind}`,
        common_tls_context: {
          tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
          tls_certificates: [{ certificate_chain: { filename: leaf }, private_key: { filename: leaf } }],
          validation_context: { trusted_ca: { filename: ca } },
        },
        ...(side === 'downstream' && { require_client_certificate: true }),
      },
    },
  };
}

/** What a listener, a cluster or a bind is given an address by. */
export function socketAddress(address: string, port: number): { readonly socket_address: object } {
  return { socket_address: { address, port_value: port } };
}

/** The network filter that speaks HTTP. @param filters in front of the router */
export function httpFilter(name: string, virtualHosts: readonly object[], filters: readonly object[] = []): object {
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
  };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      route_config: { virtual_hosts: virtualHosts },
      http_filters: [...filters, router],
    },
  };
}

/** A cluster of one endpoint. */
export function cluster(name: string, address: string, port: number): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socketAddress(address, port) } }] }];
  return { name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints } };
}
