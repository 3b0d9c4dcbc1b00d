/** What wrk says of a run. */

export interface WrkReport {
  readonly requests: number;
  readonly perSecond: number;
  /** NaN without `--latency`. */
  readonly p50Us: number;
}

const US = { us: 1, ms: 1000, s: 1e6 } as const;

/** @throws Error where a request failed, a connection broke or nothing can be read: such a run is no measurement */
export function readWrkReport(text: string): WrkReport {
  const bad = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(text)?.[0];
  if (bad !== undefined) throw new Error(`requests failed: ${bad}`);
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const [, p50 = 'NaN', unit = 'us'] = /50%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const requests = number(/(\d+) requests in/);
  const perSecond = number(/Requests\/sec:\s+([\d.]+)/);
  if (!(requests > 0 && perSecond > 0)) throw new Error(`wrk says nothing of requests: ${text}`);
  return {
    requests,
    perSecond,
    p50Us: Number(p50) * US[unit as keyof typeof US],
  };
}
