/**
 * Envoy as Istio configures a sidecar: every service of the mesh is known to it, with a virtual host and a cluster that
 * speaks mutual TLS each; one listener for what leaves the application, one for what comes in; few statistics (Istio's
 * inclusion list), no access log.
 */
import { cluster, type EnvoyCredentials, httpFilter, mutualTls, socketAddress } from '../envoy/config-parts.ts';

export interface SidecarOptions extends EnvoyCredentials {
  /** Where the application's calls are captured, and where other sidecars call. */
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** The application behind this sidecar. */
  readonly applicationPort: number;
  /** The services of the mesh, with the inbound port of the one endpoint of each. */
  readonly services: readonly { readonly name: string; readonly endpointPort: number }[];
}

const LOOPBACK = '127.0.0.1';
const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** What sidecars of Istio count (facts l7-and-control 7). */
const COUNTED = ['reporter=', 'cluster_manager', 'listener_manager', 'server', 'cluster.xds-grpc', 'wasm'];

/** As JSON, which is YAML. */
export function sidecarConfig(options: SidecarOptions): string {
  const { outboundPort, inboundPort, applicationPort, services } = options;
  const inbound = sidecarCluster('inbound', applicationPort, {});
  return JSON.stringify({
    stats_config: {
      stats_matcher: { inclusion_list: { patterns: COUNTED.map((prefix) => ({ prefix })) } },
    },
    static_resources: {
      listeners: [
        listener(outboundPort, services.map(virtualHost), {}),
        listener(
          inboundPort,
          [{ name: 'inbound', domains: ['*'], routes: [route('inbound')] }],
          mutualTls('downstream', options),
        ),
      ],
      clusters: [
        ...services.map(({ name, endpointPort }) =>
          sidecarCluster(clusterName(name), endpointPort, mutualTls('upstream', options)),
        ),
        inbound,
      ],
    },
  });
}

const clusterName = (service: string) => `outbound|80||${service}.bench.svc.cluster.local`;

function virtualHost({ name }: { readonly name: string }): object {
  const hosts = [name, `${name}.bench`, `${name}.bench.svc`, `${name}.bench.svc.cluster.local`];
  return {
    name: `${name}.bench.svc.cluster.local:80`,
    domains: hosts.flatMap((host) => [host, `${host}:80`]),
    routes: [route(clusterName(name))],
  };
}

function route(to: string): object {
  const retryPolicy = { retry_on: 'connect-failure,refused-stream,unavailable,cancelled', num_retries: 2 };
  return { name: 'default', match: { prefix: '/' }, route: { cluster: to, timeout: '0s', retry_policy: retryPolicy } };
}

function listener(port: number, virtualHosts: readonly object[], chain: object): object {
  const filters = [httpFilter(`port_${port}`, virtualHosts)];
  return { address: socketAddress(LOOPBACK, port), filter_chains: [{ filters, ...chain }] };
}

function sidecarCluster(name: string, port: number, more: object): object {
  return {
    ...cluster(name, LOOPBACK, port),
    connect_timeout: '10s',
    circuit_breakers: { thresholds: [{ max_connections: 4_294_967_295, max_requests: 4_294_967_295 }] },
    typed_extension_protocol_options: {
      [HTTP_PROTOCOL_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP_PROTOCOL_OPTIONS}`,
        use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
      },
    },
    ...more,
  };
}
