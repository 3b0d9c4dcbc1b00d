/** Reads the traffic counters of all proxies of a mesh. */
import { errorText } from '../../base/errors.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { addSamples, type Edge, type EdgeCounters, isEdgeMetric } from '../../traffic/edges.ts';
import { type LabelCache, parseExposition } from '../../traffic/parse-exposition.ts';
import { askProxy, type MeshAccess } from './mesh-access.ts';

export interface MeshReading {
  readonly edges: ReadonlyMap<string, { readonly edge: Edge; readonly counters: EdgeCounters }>;
  /** Monotonic. */
  readonly atMs: number;
  /** Why some proxies are missing, for people. */
  readonly missing: readonly string[];
}

const METRICS_PORT = 15020;
const AT_A_TIME = 16;

/** @throws AmbitError when the proxies cannot be listed, or none of them answers */
export async function readEdges(access: MeshAccess, cache: LabelCache): Promise<MeshReading> {
  const proxies = (await access.proxies()).filter(({ role }) => role !== 'control');
  const edges = new Map<string, { readonly edge: Edge; readonly counters: EdgeCounters }>();
  const missing: string[] = [];
  const waiting = [...proxies];
  const read = async () => {
    for (let proxy = waiting.shift(); proxy !== undefined; proxy = waiting.shift()) {
      try {
        addSamples(edges, parseExposition(await scrape(access, proxy), isEdgeMetric, cache));
      } catch (error) {
        missing.push(`${proxyName(proxy)}: ${errorText(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, read));
  return { edges, atMs: performance.now(), missing };
}

async function scrape(access: MeshAccess, proxy: MeshProxy): Promise<string> {
  const { status, body } = await askProxy(access, proxy, { port: METRICS_PORT, path: '/stats/prometheus' });
  if (status !== 200) throw new Error(`metrics were answered with ${status}`);
  return body.toString('utf8');
}
