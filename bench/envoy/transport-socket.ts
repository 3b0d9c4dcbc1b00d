/** Mutual TLS 1.3 of the benches' Envoys, between each other. */

/** PEM files, as `peerCredentials` writes them. */
export interface EnvoyCredentials {
  readonly ca: string;
  readonly leaf: string;
}

/** @param side whom it calls, or who calls it @returns what a cluster or a filter chain is extended by */
export function mutualTls(side: 'upstream' | 'downstream', { ca, leaf }: EnvoyCredentials): object {
  const kind = side === 'upstream' ? 'UpstreamTlsContext' : 'DownstreamTlsContext';
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${kind}`,
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
