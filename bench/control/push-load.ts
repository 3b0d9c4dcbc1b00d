/** Pods that get their addresses while proxies read: one load of the push bench. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchProxies } from './bench-proxies.ts';
import type { ControlUnderTest } from './control-process.ts';

export interface PushLoad {
  /** The number of the first pod. */
  readonly first: number;
  readonly changes: number;
  /** Undefined: all at once. */
  readonly perSecond: number | undefined;
}

export interface Pushed {
  /** When the first change was due: of the machine's monotonic clock. */
  readonly startNs: bigint;
  /** Of each change: from the moment at which it was due to the last proxy. */
  readonly latenciesMs: readonly number[];
}

/** More than any machine does one by one. */
const AT_ONCE = 1e6;
const SETTLE_MS = 1000;
/** After the last change is due. */
const LIMIT_MS = 30_000;
/** Of what is missing. */
const MAX_NAMED = 10;

/** The pods are there, without addresses, and the control plane has made of them what it makes. */
export async function announce(bench: ControlUnderTest, { first, changes }: PushLoad): Promise<void> {
  await bench.ask({ kind: 'announce', first, count: changes });
  await delay(SETTLE_MS);
}

/** @throws Error when a change does not reach every proxy in time */
export async function push(bench: ControlUnderTest, proxies: BenchProxies, load: PushLoad): Promise<Pushed> {
  const { first, changes, perSecond = AT_ONCE } = load;
  const [arrived, reply] = await Promise.all([
    proxies.arrivals(changes, (changes / perSecond) * 1000 + LIMIT_MS),
    bench.ask({ kind: 'churn', first, count: changes, perSecond }),
  ]);
  if (reply.kind !== 'churned') throw new Error('nothing was changed');
  const startNs = BigInt(reply.startNs);
  const byPod = new Map([...arrived].map(([name, atNs]) => [Number(name.slice(name.lastIndexOf('-') + 1)), atNs]));
  const missing: number[] = [];
  const latenciesMs: number[] = [];
  for (let change = 0; change < changes; change++) {
    const atNs = byPod.get(first + change);
    if (atNs === undefined) missing.push(first + change);
    else latenciesMs.push(Number(atNs - startNs) / 1e6 - (change / perSecond) * 1000);
  }
  if (missing.length > 0) throw new Error(missingText(missing, changes));
  return { startNs, latenciesMs };
}

function missingText(missing: readonly number[], changes: number): string {
  const named = missing.slice(0, MAX_NAMED).join(', ') + (missing.length > MAX_NAMED ? ', ...' : '');
  const late = `${LIMIT_MS / 1000} s after the last was due`;
  return `${missing.length} of ${changes} changes had not reached every proxy ${late}: the addresses of pods ${named}`;
}
