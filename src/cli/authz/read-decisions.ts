/** What proxies counted of the decisions of policies. */

import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { POLICY_METRIC } from '../../telemetry/policy-metrics.ts';
import { LabelCache, type ParsedSample, parseExposition } from '../../traffic/parse-exposition.ts';
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
const METRIC = `${POLICY_METRIC}_total`;
const STARTED = 'process_start_time_seconds';
const RESULTS: Readonly<Record<string, keyof Decisions>> = {
  allowed: 'allowed',
  denied: 'denied',
  would_allow: 'wouldAllow',
  would_deny: 'wouldDeny',
  audited: 'audited',
};
/** What a proxy appends to the name of a policy that it could not read and that denies everything. */
const UNUSABLE = ' (unusable)';

/** Never rejects. */
export async function readDecisions(
  access: MeshAccess,
  proxies: readonly MeshProxy[],
): Promise<{ readonly read: readonly ProxyDecisions[]; readonly missing: readonly string[] }> {
  const cache = new LabelCache();
  const isWanted = (name: string) => name === METRIC || name === STARTED;
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
  const byPolicy = new Map<string, Decisions>();
  let startedMs: number | undefined;
  for (const { name, labels, value } of samples) {
    if (name === STARTED) startedMs = Math.round(value * 1000);
    const result = RESULTS[labels['result'] ?? ''];
    if (name !== METRIC || result === undefined) continue;
    const policy = (labels['policy'] ?? '').replace(UNUSABLE, '');
    byPolicy.set(policy, sumOf(byPolicy.get(policy) ?? NO_DECISIONS, { ...NO_DECISIONS, [result]: value }));
  }
  return { proxy, startedMs, byPolicy };
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
