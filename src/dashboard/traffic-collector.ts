/** Reads the traffic of a mesh again and again, for as long as somebody looks at the dashboard. */
import { type Clock, sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { MeshProxy } from '../model/mesh-proxy.ts';
import { EdgeHistory } from '../traffic/edge-history.ts';
import type { EdgeReading } from '../traffic/edges.ts';
import type { PolicyHits } from '../traffic/policy-hits.ts';

/** Where the traffic is read. */
export interface TrafficSource {
  readonly where: string;
  proxies(): Promise<readonly MeshProxy[]>;
  read(): Promise<{ readonly edges: EdgeReading; readonly policies: PolicyHits; readonly missing: readonly string[] }>;
}

const PERIOD_MS = 2000;

export class TrafficCollector {
  readonly #source: TrafficSource;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  readonly history = new EdgeHistory();
  proxies: readonly MeshProxy[] = [];
  /** Why some proxies, or all, are not in the numbers. */
  missing: readonly string[] = [];
  /** As of the last reading. */
  policies: PolicyHits = new Map();
  /** Wall clock; 0 before the first. */
  readAtMs = 0;

  constructor(source: TrafficSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Reads until it is stopped; a mesh that does not answer is asked again. */
  async run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#read();
      await sleep(this.#clock, PERIOD_MS, signal);
    }
  }

  stop(): void {
    this.#ended.abort();
  }

  async #read(): Promise<void> {
    try {
      this.proxies = await this.#source.proxies();
      const { edges, policies, missing } = await this.#source.read();
      this.missing = missing;
      this.policies = policies;
      this.readAtMs = this.#clock.nowMs();
      this.history.add(edges, this.readAtMs, this.#clock.monotonicMs());
    } catch (error) {
      this.missing = [errorText(error)];
    }
  }
}
