/** What happened on an edge between two readings: rates, success, latencies. */
import { createCounters, type Edge, type EdgeCounters, type EdgeReading } from './edges.ts';

export interface EdgeRates extends Rates {
  readonly edge: Edge;
}

export interface Rates {
  /** 0 where no requests are seen. */
  readonly requestsPerSec: number;
  /** Share of requests without a server's error, 0 to 1; undefined without requests, and where the mesh refused them all. */
  readonly successShare: number | undefined;
  /** By code as in EdgeCounters, per second. */
  readonly codesPerSec: Readonly<Record<string, number>>;
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly openedPerSec: number;
  readonly failedPerSec: number;
  /** Requests and connections that the mesh itself refused: by policy, without a valid token, with a revoked certificate. */
  readonly deniedPerSec: number;
  /** Of bodies of requests, and of answers. */
  readonly requestBytesPerSec: number;
  readonly responseBytesPerSec: number;
  /** Of connections: client to server, and back. */
  readonly receivedBytesPerSec: number;
  readonly sentBytesPerSec: number;
  /** Open just now. */
  readonly open: number;
}

/** All edges on which something happened, or connections are open. @param elapsedMs between the readings */
export function edgeRates(before: EdgeReading, after: EdgeReading, elapsedMs: number): EdgeRates[] {
  const rates: EdgeRates[] = [];
  for (const [key, { edge, counters }] of after) {
    const rate = { edge, ...ratesOf(before.get(key)?.counters ?? createCounters(), counters, elapsedMs / 1000) };
    const isQuiet = rate.requestsPerSec === 0 && rate.openedPerSec === 0 && rate.failedPerSec === 0;
    if (!isQuiet || rate.open > 0 || rate.receivedBytesPerSec + rate.sentBytesPerSec > 0) rates.push(rate);
  }
  return rates;
}

/** What happened between two readings of the same counters. */
export function ratesOf(before: EdgeCounters, after: EdgeCounters, seconds: number): Rates {
  const codes: Record<string, number> = {};
  let total = 0;
  let errors = 0;
  for (const [code, count] of after.requests) {
    const more = grown(before.requests.get(code) ?? 0, count);
    if (more === 0) continue;
    codes[code] = more / seconds;
    total += more;
    if (isServerError(code)) errors += more;
  }
  const latency = (share: number) => quantileMs(before.durationBuckets, after.durationBuckets, share);
  const deniedRequests = grown(before.deniedRequests, after.deniedRequests);
  const perSec = (of: (counters: EdgeCounters) => number) => grown(of(before), of(after)) / seconds;
  return {
    requestsPerSec: total / seconds,
    successShare: total === 0 || deniedRequests >= total ? undefined : 1 - errors / total,
    codesPerSec: codes,
    p50Ms: latency(0.5),
    p95Ms: latency(0.95),
    p99Ms: latency(0.99),
    openedPerSec: perSec(({ opened }) => opened),
    failedPerSec: perSec(({ failed }) => failed),
    deniedPerSec: deniedRequests / seconds + perSec(({ deniedConnections }) => deniedConnections),
    requestBytesPerSec: perSec(({ requestBytes }) => requestBytes),
    responseBytesPerSec: perSec(({ responseBytes }) => responseBytes),
    receivedBytesPerSec: perSec(({ receivedBytes }) => receivedBytes),
    sentBytesPerSec: perSec(({ sentBytes }) => sentBytes),
    open: Math.max(0, after.opened - after.closed),
  };
}

/** How much a counter grew. One that is smaller than before was started anew. */
export function grown(before: number, after: number): number {
  return after >= before ? after - before : after;
}

/** Statuses of gRPC that are the server's doing, as Kiali and Linkerd count them. */
const GRPC_ERRORS: ReadonlySet<string> = new Set(['2', '4', '8', '12', '13', '14', '15']);

/** Whether the answer is an error that a server is to blame for. @param code as in EdgeCounters */
export function isServerError(code: string): boolean {
  const [http = '', grpc] = code.split('/');
  return grpc === undefined ? http === '0' || http.startsWith('5') : GRPC_ERRORS.has(grpc);
}

/** As `histogram_quantile` of Prometheus has it: linear within a bucket. Undefined without observations. */
export function quantileMs(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  share: number,
): number | undefined {
  const buckets = [...after]
    .map(([bound, count]) => ({ bound, count: grown(before.get(bound) ?? 0, count) }))
    .sort((a, b) => a.bound - b.bound);
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  let lower = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (bucket.bound === Infinity || bucket.count === lower.count) return lower.bound;
      return lower.bound + ((bucket.bound - lower.bound) * (rank - lower.count)) / (bucket.count - lower.count);
    }
    lower = bucket;
  }
  return lower.bound;
}
