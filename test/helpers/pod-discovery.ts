/**
 * What a Prometheus discovers with `kubernetes_sd_configs` of role `pod`, over HTTP: the Prometheus of Debian is built
 * without it. Targets and labels are those of the documentation of Prometheus.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';

export interface DiscoveredPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly name: string; readonly ports?: readonly { containerPort: number }[] }[];
  };
  readonly status: { readonly podIP?: string; readonly phase: string };
}

/** One target for each port of each container; a container without ports is one, too. */
export function podTargets({ metadata, spec, status }: DiscoveredPod): object[] {
  const { podIP = '' } = status;
  if (podIP === '') return [];
  const meta = {
    __meta_kubernetes_namespace: metadata.namespace,
    __meta_kubernetes_pod_name: metadata.name,
    __meta_kubernetes_pod_ip: podIP,
    __meta_kubernetes_pod_phase: status.phase,
    __meta_kubernetes_pod_node_name: spec.nodeName ?? '',
    ...named('label', metadata.labels),
    ...named('annotation', metadata.annotations),
  };
  const host = podIP.includes(':') ? `[${podIP}]` : podIP;
  return spec.containers.flatMap(({ name, ports = [] }) => {
    const labels = { ...meta, __meta_kubernetes_pod_container_name: name };
    if (ports.length === 0) return [{ targets: [host], labels }];
    return ports.map(({ containerPort }) => ({ targets: [`${host}:${containerPort}`], labels }));
  });
}

export interface PodDiscovery extends AsyncDisposable {
  /** For `http_sd_configs`. */
  readonly url: string;
}

/** @param pods of the cluster at a moment */
export async function servePodDiscovery(pods: () => Promise<readonly DiscoveredPod[]>): Promise<PodDiscovery> {
  const server = createServer((_, response) => {
    pods().then(
      (found) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(found.flatMap(podTargets)));
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function named(kind: 'label' | 'annotation', values: Readonly<Record<string, string>> = {}): Record<string, string> {
  const name = (key: string) => `__meta_kubernetes_pod_${kind}_${key.replace(/[^A-Za-z0-9_]/g, '_')}`;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [name(key), value]));
}
