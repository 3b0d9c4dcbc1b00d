/** What proxies counted of the decisions of policies. */

import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { LabelCache, type ParsedSample, parseExposition } from '../../traffic/parse-exposition.ts';
import { addPolicySamples, isPolicyMetric } from '../../traffic/policy-hits.ts';
import { eachProxy } from '../mesh/each-proxy.ts';
import { askText, type MeshAccess } from '../mesh/mesh-access.ts';

/** By what came of the decision. */
export interface Decisions {
  readonly allowed: number;
  readonly denied: number;
  readonly wouldAllow: number;
  readonly wouldDeny: number;
  readonly audited: number;
}

export interface ProxyDecisions {
  /** `namespace/name`. */
  readonly proxy: string;
  /** Since when it counts, in milliseconds since 1970; undefined where it does not say. */
  readonly startedMs: number | undefined;
  /** By policy, `namespace/name`; empty for connections and requests that no ALLOW policy matched. */
  readonly byPolicy: ReadonlyMap<string, Decisions>;
}

export const NO_DECISIONS: Decisions = { allowed: 0, denied: 0, wouldAllow: 0, wouldDeny: 0, audited: 0 };

const METRICS_PORT = 15020;
const STARTED = 'process_start_time_seconds';
const RESULTS: Readonly<Record<string, keyof Decisions>> = {
  allowed: 'allowed',
  denied: 'denied',
  would_allow: 'wouldAllow',
  would_deny: 'wouldDeny',
  audited: 'audited',
};

/** Never rejects. */
export async function readDecisions(
  access: MeshAccess,
  proxies: readonly MeshProxy[],
): Promise<{ readonly read: readonly ProxyDecisions[]; readonly missing: readonly string[] }> {
  const cache = new LabelCache();
  const isWanted = (name: string) => isPolicyMetric(name) || name === STARTED;
  const { answers, missing } = await eachProxy(proxies, async (proxy) =>
    decisionsOf(
      proxyName(proxy),
      parseExposition(await askText(access, proxy, METRICS_PORT, '/stats/prometheus'), isWanted, cache),
    ),
  );
  return { read: answers.map(({ value }) => value), missing };
}

/** From the samples of one proxy. */
export function decisionsOf(proxy: string, samples: readonly ParsedSample[]): ProxyDecisions {
  const hits = new Map<string, Map<string, number>>();
  addPolicySamples(hits, samples);
  const byPolicy = new Map([...hits].map(([policy, counts]) => [policy, decisionsIn(counts)]));
  const started = samples.findLast(({ name }) => name === STARTED);
  return { proxy, startedMs: started && Math.round(started.value * 1000), byPolicy };
}

function decisionsIn(counts: ReadonlyMap<string, number>): Decisions {
  const known = [...counts].flatMap(([result, count]) => {
    const name = RESULTS[result];
    return name === undefined ? [] : [[name, count] as const];
  });
  return { ...NO_DECISIONS, ...Object.fromEntries(known) };
}

export function sumOf(a: Decisions, b: Decisions): Decisions {
  return {
    allowed: a.allowed + b.allowed,
    denied: a.denied + b.denied,
    wouldAllow: a.wouldAllow + b.wouldAllow,
    wouldDeny: a.wouldDeny + b.wouldDeny,
    audited: a.audited + b.audited,
  };
}
