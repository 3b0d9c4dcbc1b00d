/** `ambit dashboard`: the graph of the mesh in a browser, until Ctrl-C. */
import { join } from 'node:path';
import { apiRoutes } from '../../dashboard/api/api-routes.ts';
import { serveDashboard } from '../../dashboard/dashboard-server.ts';
import { LiveTap } from '../../dashboard/live-tap.ts';
import { LoopbackGate } from '../../dashboard/loopback-gate.ts';
import { TrafficCollector } from '../../dashboard/traffic-collector.ts';
import { LabelCache } from '../../traffic/parse-exposition.ts';
import { commandClock } from '../command-clock.ts';
import { dashboardSources } from '../mesh/dashboard-sources.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { readEdges } from '../mesh/read-edges.ts';
import { printLine } from '../print-line.ts';
import { onShutdownSignal } from '../shutdown.ts';

export interface DashboardFlags extends MeshFlags {
  readonly port: number;
  /** Its address, for histories of more than an hour. */
  readonly prometheus?: string;
}

/** Where the build puts the pages, seen from here whether compiled or not. */
export const PAGES = join(import.meta.dirname, '../../../dist/dashboard/pages');

const HOST = '127.0.0.1';

/** @throws AmbitError when there is no mesh, or the port is taken */
export async function runDashboard(
  { port, prometheus, ...flags }: DashboardFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const access = await findMesh(flags, environment);
  // A mistake in what is asked for shows here and not in the browser.
  await access.proxies();
  const cache = new LabelCache();
  const source = { where: access.where, proxies: () => access.proxies(), read: () => readEdges(access, cache) };
  const collector = new TrafficCollector(source, commandClock);
  const gate = new LoopbackGate();
  const sources = dashboardSources(access, collector, prometheus);
  const streams = new Map([['/api/tap', new LiveTap(sources.programs, commandClock).handler]]);
  const parts = { gate, api: apiRoutes(sources), streams };
  const dashboard = await serveDashboard({ host: HOST, port, pages: PAGES }, parts);
  const collecting = collector.run();
  printLine(`dashboard of ${access.where}: http://${HOST}:${dashboard.port}/?token=${gate.token}`);
  printLine('the address works once; Ctrl-C ends it');
  onShutdownSignal(() => {
    collector.stop();
    void Promise.all([collecting, dashboard.close()]).then(() => access.close());
  });
}
