/**
 * Reads the traffic counters of all proxies of a mesh.
 *
 * Invariant: a pod that only calls itself a waypoint adds nothing to what others count, and takes no place of theirs.
 */
import { waypointNames } from '../../dashboard/waypoint-names.ts';
import type { MeshProxy } from '../../model/mesh-proxy.ts';
import { BelievedCounters } from '../../traffic/believed-counters.ts';
import { addSamples, type Edge, type EdgeCounters, isEdgeMetric } from '../../traffic/edges.ts';
import { type LabelCache, type Labels, type ParsedSample, parseExposition } from '../../traffic/parse-exposition.ts';
import { addPolicySamples, isPolicyMetric, type PolicyHits } from '../../traffic/policy-hits.ts';
import { eachProxy } from './each-proxy.ts';
import { askText, type MeshAccess } from './mesh-access.ts';

export interface MeshReading {
  readonly edges: ReadonlyMap<string, { readonly edge: Edge; readonly counters: EdgeCounters }>;
  readonly policies: PolicyHits;
  /** Workloads that are waypoints, as `namespace/name`. */
  readonly waypoints: ReadonlySet<string>;
  /** Monotonic. */
  readonly atMs: number;
  /** Why some proxies are missing, for people. */
  readonly missing: readonly string[];
}

const METRICS_PORT = 15020;
const MAX_SCRAPE_BYTES = 32 * 1024 * 1024;
/** Of one reading; ztunnels come first. */
const MAX_EDGES = 20_000;
const MAX_EDGES_OF_WAYPOINT = 2000;

interface Reading {
  readonly edges: Map<string, { readonly edge: Edge; readonly counters: EdgeCounters }>;
  readonly policies: Map<string, Map<string, number>>;
}

/** @throws AmbitError when the proxies cannot be listed, or none of them answers */
export async function readEdges(access: MeshAccess, cache: LabelCache): Promise<MeshReading> {
  const proxies = await access.proxies();
  const reading: Reading = { edges: new Map(), policies: new Map() };
  const scrape = (proxy: MeshProxy) =>
    askText(access, proxy, METRICS_PORT, '/stats/prometheus', { maxBytes: MAX_SCRAPE_BYTES });
  const ztunnels = proxies.filter(({ role }) => role === 'ztunnel');
  const ofZtunnels = await eachProxy(ztunnels, async (proxy) => {
    add(reading, await scrape(proxy), cache, MAX_EDGES);
    return proxy;
  });
  const believed = new BelievedCounters(reading.edges, new Set(ztunnels.map(({ namespace }) => namespace)));
  const ofWaypoints = await eachProxy(
    proxies.filter(({ role }) => role === 'waypoint'),
    async (proxy) => {
      const maxEdges = Math.min(MAX_EDGES, reading.edges.size + MAX_EDGES_OF_WAYPOINT);
      add(reading, await scrape(proxy), cache, maxEdges, {
        edge: (labels) => believed.isEdgeOf(proxy.namespace, labels),
        policy: (labels) => believed.isPolicyOf(proxy.namespace, labels),
      });
      return proxy;
    },
  );
  const missing = [...ofZtunnels.missing, ...ofWaypoints.missing];
  return { ...reading, waypoints: waypointNames(proxies), atMs: performance.now(), missing };
}

/** @param believed everything, unless it is given */
function add(
  { edges, policies }: Reading,
  text: string,
  cache: LabelCache,
  maxEdges: number,
  believed?: { edge(labels: Labels): boolean; policy(labels: Labels): boolean },
): void {
  const wanted = (of: (labels: Labels) => boolean) => (sample: ParsedSample) => of(sample.labels);
  const calls = parseExposition(text, isEdgeMetric, cache);
  const decisions = parseExposition(text, isPolicyMetric, cache);
  addSamples(edges, believed === undefined ? calls : calls.filter(wanted(believed.edge)), maxEdges);
  addPolicySamples(policies, believed === undefined ? decisions : decisions.filter(wanted(believed.policy)));
}
