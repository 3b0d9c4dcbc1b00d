/** fortio at a fixed pace: Istio's published latencies are its. */
import { buildGoTool, goToolPath } from '../go-tool.ts';
import { type Latencies, output, startIn } from './generators.ts';
import type { Contestant } from './proxy-pair.ts';

const FORTIO = goToolPath('fortio');

const QUANTILES = [50, 99, 99.9] as const;
/** Width of the narrowest classes of its histogram; those of longer times are wider. */
const RESOLUTION_SEC = 0.000_01;

interface Report {
  readonly RetCodes: Readonly<Record<string, number>>;
  readonly DurationHistogram: {
    readonly Count: number;
    readonly Percentiles: readonly { readonly Percentile: number; readonly Value: number }[];
  };
}

/** @throws Error without Go */
export function buildFortio(): void {
  buildGoTool('fortio', 'bench/fortio', 'fortio.org/fortio');
}

/** Requests of 1 KB, each counted from when it was sent; its connections do not all begin at once. */
export async function fortioPace(
  { pair, client, cores }: Contestant,
  perSecond: number,
  connections: number,
  seconds: number,
): Promise<Latencies> {
  const pace = ['-qps', String(perSecond), '-c', String(connections), '-t', `${seconds}s`, '-uniform'];
  const counting = ['-p', QUANTILES.join(','), '-r', String(RESOLUTION_SEC), '-quiet', '-json', '-'];
  const url = `http://${pair.host}:${pair.ports.http}/`;
  const command = [FORTIO, 'load', ...pace, ...counting, url];
  const report: Report = JSON.parse(await output(startIn(client, cores, command, 'pipe')));
  const { Count: count, Percentiles } = report.DurationHistogram;
  const [p50Us = 0, p99Us = 0, p999Us = 0] = QUANTILES.map((wanted) => {
    const found = Percentiles.find(({ Percentile }) => Percentile === wanted);
    if (found === undefined) throw new Error(`fortio told no ${wanted}th percentile`);
    return found.Value * 1e6;
  });
  return { count, failures: count - (report.RetCodes['200'] ?? 0), p50Us, p99Us, p999Us };
}
