/**
 * Histories of more than an hour, from a Prometheus that scrapes the proxies (docs/metrics.md).
 *
 * Invariant: its address, which may hold a password, and what it says are for the operator's log; viewers hear that there is
 * no answer.
 */
import { z } from 'zod';
import { AmbitError, errorText } from '../base/errors.ts';
import type { EdgePoint } from '../traffic/edge-history.ts';
import type { Series, SeriesSubject } from './series.ts';

export interface LongHistory {
  /** @throws AmbitError PROMETHEUS_UNREACHABLE */
  series(subject: SeriesSubject, rangeMs: number, nowMs: number): Promise<Series>;
}

const TIMEOUT_MS = 10_000;
const POINTS = 240;
const MIN_STEP_SEC = 15;
/** Rates need at least two scrapes within it, whatever the common interval. */
const MIN_WINDOW_SEC = 120;
const answerSchema = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z.object({ result: z.array(z.object({ values: z.array(z.tuple([z.number(), z.string()])) })) }).optional(),
});

type Metric = Exclude<keyof EdgePoint, 'atMs'>;

export class PrometheusHistory implements LongHistory {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #log: (line: string) => void;
  #told = '';

  /**
   * @param address with a path where it is behind one, and `user:password@` where it asks for them
   * @param log told why it does not answer
   * @throws AmbitError PROMETHEUS_ADDRESS
   */
  constructor(address: string, log: (line: string) => void) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      const text =
        'the address of Prometheus cannot be read: give --prometheus one such as http://prometheus.monitoring:9090';
      throw new AmbitError('PROMETHEUS_ADDRESS', text);
    }
    this.#headers = authorizationOf(url);
    this.#base = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
    this.#log = log;
  }

  async series(subject: SeriesSubject, rangeMs: number, nowMs: number): Promise<Series> {
    const stepSec = Math.max(MIN_STEP_SEC, Math.round(rangeMs / 1000 / POINTS));
    const questions = Object.entries(questionsOf(subject, Math.max(MIN_WINDOW_SEC, stepSec))) as [Metric, string][];
    const answers = await Promise.all(
      questions.map(async ([metric, query]) => [metric, await this.#ask(query, rangeMs, nowMs, stepSec)] as const),
    );
    const byTime = new Map<number, Partial<Record<Metric, number>>>();
    for (const [metric, values] of answers) {
      for (const [atSec, value] of values) {
        const point = byTime.get(atSec) ?? {};
        byTime.set(atSec, point);
        if (Number.isFinite(value)) point[metric] = value;
      }
    }
    const points = [...byTime].sort(([a], [b]) => a - b).map(([atSec, values]) => pointOf(atSec * 1000, values));
    return { source: 'prometheus', points };
  }

  /** Once, until it answers again or fails in another way: pages ask every few seconds. */
  #tell(problem: string): void {
    if (problem !== this.#told) this.#log(problem);
    this.#told = problem;
  }

  async #ask(query: string, rangeMs: number, nowMs: number, stepSec: number): Promise<[number, number][]> {
    const end = Math.floor(nowMs / 1000 / stepSec) * stepSec;
    const parameters = { query, start: String(end - rangeMs / 1000), end: String(end), step: String(stepSec) };
    const url = `${this.#base}/api/v1/query_range?${new URLSearchParams(parameters)}`;
    try {
      const response = await fetch(url, { headers: this.#headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const answer = answerSchema.parse(await response.json());
      if (answer.status !== 'success') throw new Error(answer.error ?? `it answered ${response.status}`);
      this.#told = '';
      return (answer.data?.result[0]?.values ?? []).map(([atSec, value]) => [atSec, Number(value)]);
    } catch (error) {
      this.#tell(`Prometheus at ${this.#base} does not answer: ${reasonOf(error)}; is --prometheus its address?`);
      const text = 'Prometheus does not answer (PROMETHEUS_UNREACHABLE): the log of the dashboard says why';
      throw new AmbitError('PROMETHEUS_UNREACHABLE', text, { side: 'upstream' });
    }
  }
}

/** What fetch does not take in an address (RFC 7617). */
function authorizationOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const text = [username, password].map(decoded).join(':');
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A percent sign that is one.
    return part;
  }
}

/** An error of fetch has the reason behind it. */
function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  return cause === undefined ? errorText(error) : `${errorText(error)}: ${errorText(cause)}`;
}

function pointOf(atMs: number, values: Partial<Record<Metric, number>>): EdgePoint {
  const { requestsPerSec = 0, errorsPerSec = 0, openedPerSec = 0, bytesPerSec = 0, p50Ms, p99Ms } = values;
  return { atMs, requestsPerSec, errorsPerSec, openedPerSec, bytesPerSec, p50Ms, p99Ms };
}

/** As edge-rates.ts counts: what servers are to blame for. */
const HTTP_ERRORS = 'grpc_response_status="",response_code=~"0|5.."';
const GRPC_ERRORS = 'grpc_response_status=~"2|4|8|12|13|14|15"';

/** The questions in PromQL, by what they answer. */
export function questionsOf(subject: SeriesSubject, windowSec: number): Record<Metric, string> {
  const labels = labelsOf(subject);
  const rate = (name: string, more: string) =>
    `rate(${name}{${[labels, more].filter(Boolean).join(',')}}[${windowSec}s])`;
  const requests = (more: string) => `(sum(${rate('istio_requests_total', more)}) or vector(0))`;
  const quantile = (share: number) =>
    `histogram_quantile(${share}, sum by (le) (${rate('istio_request_duration_milliseconds_bucket', '')}))`;
  const connections = (name: string) => `(sum(${rate(name, 'reporter="destination"')}) or vector(0))`;
  return {
    requestsPerSec: requests(''),
    errorsPerSec: `${requests(HTTP_ERRORS)} + ${requests(GRPC_ERRORS)}`,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    openedPerSec: connections('istio_tcp_connections_opened_total'),
    bytesPerSec: `${connections('istio_tcp_received_bytes_total')} + ${connections('istio_tcp_sent_bytes_total')}`,
  };
}

function labelsOf({ kind, namespace, name, revision }: SeriesSubject): string {
  const [space, own] =
    kind === 'service'
      ? ['destination_service_namespace', 'destination_service_name']
      : ['destination_workload_namespace', 'destination_workload'];
  const labels: [string, string][] = [
    [space, namespace],
    [own, name],
  ];
  if (revision !== '') labels.push(['destination_canonical_revision', revision]);
  // A string of PromQL has the escapes of Go, of which those of JSON are a part.
  return labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',');
}
