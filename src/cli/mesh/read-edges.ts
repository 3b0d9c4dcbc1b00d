/** Reads the traffic counters of all proxies of a mesh. */
import { addSamples, type Edge, type EdgeCounters, isEdgeMetric } from '../../traffic/edges.ts';
import { type LabelCache, parseExposition } from '../../traffic/parse-exposition.ts';
import { addPolicySamples, isPolicyMetric, type PolicyHits } from '../../traffic/policy-hits.ts';
import { eachProxy } from './each-proxy.ts';
import { askText, type MeshAccess } from './mesh-access.ts';

export interface MeshReading {
  readonly edges: ReadonlyMap<string, { readonly edge: Edge; readonly counters: EdgeCounters }>;
  readonly policies: PolicyHits;
  /** Monotonic. */
  readonly atMs: number;
  /** Why some proxies are missing, for people. */
  readonly missing: readonly string[];
}

const METRICS_PORT = 15020;

/** @throws AmbitError when the proxies cannot be listed, or none of them answers */
export async function readEdges(access: MeshAccess, cache: LabelCache): Promise<MeshReading> {
  const proxies = (await access.proxies()).filter(({ role }) => role !== 'control');
  const edges = new Map<string, { readonly edge: Edge; readonly counters: EdgeCounters }>();
  const policies = new Map<string, Map<string, number>>();
  const { missing } = await eachProxy(proxies, async (proxy) => {
    const text = await askText(access, proxy, METRICS_PORT, '/stats/prometheus');
    addSamples(edges, parseExposition(text, isEdgeMetric, cache));
    addPolicySamples(policies, parseExposition(text, isPolicyMetric, cache));
    return proxy;
  });
  return { edges, policies, atMs: performance.now(), missing };
}
