/** How long a request may take (facts l7-and-control 1.2 timeout). */

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/**
 * The route's timeout; a gRPC client may ask for a shorter one, or for one where the route has none.
 * @param grpcTimeout header `grpc-timeout` of a gRPC request: at most eight digits and a unit
 * @returns milliseconds, 0 for none
 */
export function requestTimeoutMs(routeMs: number, grpcTimeout: string | undefined): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(grpcTimeout ?? '');
  const unitMs = UNIT_MS[match?.[2] ?? ''];
  if (match === null || unitMs === undefined) return routeMs;
  const askedMs = Math.max(1, Math.ceil(Number(match[1]) * unitMs));
  return routeMs === 0 ? askedMs : Math.min(routeMs, askedMs);
}
