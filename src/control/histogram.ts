/** A Prometheus histogram of plain integers. */
import type { MetricFamily, Sample } from '../telemetry/exposition.ts';

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  family(name: string, help: string): MetricFamily {
    let below = 0;
    const samples: Sample[] = this.#bounds.map((bound, index) => {
      below += this.#counts[index] ?? 0;
      return { labels: `le="${bound}"`, value: below, suffix: '_bucket' };
    });
    samples.push({ labels: 'le="+Inf"', value: this.#count, suffix: '_bucket' });
    samples.push({ labels: '', value: this.#sum, suffix: '_sum' });
    samples.push({ labels: '', value: this.#count, suffix: '_count' });
    return { name, help, type: 'histogram', samples };
  }
}
