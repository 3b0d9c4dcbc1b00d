/**
 * `ambit dashboard --in-cluster`: for all who have an account at the cluster. Its own account finds the proxies and asks who
 * viewers are; it reads nothing but metrics. Everything else is asked with the token of the viewer.
 */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../base/clock.ts';
import { apiRoutes } from '../../dashboard/api/api-routes.ts';
import { serveDashboard } from '../../dashboard/dashboard-server.ts';
import { KubernetesGate } from '../../dashboard/kubernetes-gate.ts';
import { LiveTap } from '../../dashboard/live-tap.ts';
import type { MeshPrograms } from '../../dashboard/mesh-programs.ts';
import { TrafficCollector } from '../../dashboard/traffic-collector.ts';
import { KubeClient } from '../../kube/kube-client.ts';
import { inClusterConfig, type KubeConfig } from '../../kube/kube-config.ts';
import { LabelCache } from '../../traffic/parse-exposition.ts';
import { commandClock } from '../command-clock.ts';
import { ClusterMeshAccess } from '../mesh/cluster-mesh-access.ts';
import { dashboardSources, meshPrograms } from '../mesh/dashboard-sources.ts';
import type { MeshAccess } from '../mesh/mesh-access.ts';
import { PodNetworkAccess } from '../mesh/pod-network-access.ts';
import { readEdges } from '../mesh/read-edges.ts';
import { printLine } from '../print-line.ts';
import { onShutdownSignal } from '../shutdown.ts';
import { PAGES } from './dashboard.ts';

export interface ClusterDashboardFlags {
  readonly port: number;
  readonly prometheus?: string;
  /** Each with commas. */
  readonly host: readonly string[];
}

const ALL_ADDRESSES = '0.0.0.0';

/** @throws AmbitError when this is no pod with an account, or the port is taken */
export async function runClusterDashboard(
  { port, prometheus, host }: ClusterDashboardFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const config = await inClusterConfig(environment, (path) => readFile(path, 'utf8'));
  const client = new KubeClient(config, { clock: systemClock });
  const access = new PodNetworkAccess(new ClusterMeshAccess(client, config, config.namespace), systemClock);
  const collector = new TrafficCollector(trafficOf(access), commandClock);
  const gate = new KubernetesGate(
    { hosts: host.flatMap((names) => names.split(',')).filter((name) => name !== '') },
    {
      client,
      clock: systemClock,
      namespaces: () => knownNamespaces(collector),
      programsOf: (token, mayRead) => viewerPrograms(access, client, config, token, mayRead),
    },
  );
  const sources = dashboardSources(access, collector, prometheus);
  const streams = new Map([['/api/tap', new LiveTap(sources.programs, commandClock).handler]]);
  const parts = { gate, api: apiRoutes(sources), streams };
  const dashboard = await serveDashboard({ host: ALL_ADDRESSES, port, pages: PAGES }, parts);
  const collecting = collector.run();
  printLine(`dashboard of ${access.where} on port ${dashboard.port}`);
  onShutdownSignal(() => {
    collector.stop();
    void Promise.all([collecting, dashboard.close()]).then(() => access.close());
  });
}

function trafficOf(access: MeshAccess) {
  const cache = new LabelCache();
  return { where: access.where, proxies: () => access.proxies(), read: () => readEdges(access, cache) };
}

function* knownNamespaces({ proxies, history }: TrafficCollector): Iterable<string> {
  for (const { namespace } of proxies) yield namespace;
  for (const { reporter, source, destination, service } of history.edges()) {
    // A waypoint is anybody's pod, and its clients may be made up: ztunnels count those that are in the mesh.
    if (reporter !== 'waypoint') yield source.namespace;
    yield destination.namespace;
    yield service.namespace;
  }
}

/** The programs that a viewer may know of, their ports forwarded by the API server with the viewer's own rights. */
function viewerPrograms(
  own: MeshAccess,
  client: KubeClient,
  config: KubeConfig,
  token: string,
  mayRead: (namespace: string) => boolean,
): MeshPrograms {
  const forwarding = new ClusterMeshAccess(
    client,
    { ...config, credentials: () => Promise.resolve({ token }) },
    config.namespace,
  );
  return {
    ...meshPrograms(forwarding),
    proxies: async () => (await own.proxies()).filter(({ namespace }) => mayRead(namespace)),
  };
}
