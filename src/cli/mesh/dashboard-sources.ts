/** What the dashboard reads from, over the access to a mesh that commands have. */
import type { ApiSources } from '../../dashboard/api/api-handler.ts';
import type { MeshPrograms } from '../../dashboard/mesh-programs.ts';
import { MeshReader } from '../../dashboard/mesh-reader.ts';
import { PrometheusHistory } from '../../dashboard/prometheus-history.ts';
import type { TrafficCollector } from '../../dashboard/traffic-collector.ts';
import type { Viewer } from '../../dashboard/viewer.ts';
import { commandClock } from '../command-clock.ts';
import { whoMayCall } from '../explain/who-may-call.ts';
import { printLine } from '../print-line.ts';
import { VERSION } from '../version.ts';
import { askText, followProxy, type MeshAccess } from './mesh-access.ts';

/** The programs of a mesh as the dashboard asks them. */
export function meshPrograms(access: MeshAccess): MeshPrograms {
  return {
    controlPort: access.controlPort,
    proxies: () => access.proxies(),
    ask: (proxy, port, path) => askText(access, proxy, port, path),
    follow: (proxy, asked, signal, listener) => followProxy(access, proxy, asked, signal, listener),
  };
}

/** @param prometheus its address; undefined for none */
export function dashboardSources(
  access: MeshAccess,
  collector: TrafficCollector,
  prometheus: string | undefined,
): ApiSources {
  const own = meshPrograms(access);
  const programs = (viewer: Viewer) => viewer.programs ?? own;
  const readers = new WeakMap<MeshPrograms, MeshReader>();
  const deps = { clock: commandClock, random: Math.random };
  return {
    where: access.where,
    version: VERSION,
    clock: commandClock,
    collector,
    programs,
    reader: (viewer) => {
      const asked = programs(viewer);
      const reader = readers.get(asked) ?? new MeshReader(asked, commandClock);
      readers.set(asked, reader);
      return reader;
    },
    judge: ({ resources }, namespaces) => whoMayCall(resources, namespaces, deps),
    longHistory: prometheus === undefined ? undefined : new PrometheusHistory(prometheus, printLine),
  };
}
