/** A Prometheus histogram of plain integers. */
import type { MetricFamily, Sample } from './exposition.ts';

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
    const bounds = this.#bounds;
    for (let bucket = 0; bucket < bounds.length; bucket++) {
      if (value > (bounds[bucket] ?? 0)) continue;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
      return;
    }
  }

  /** Its samples. @param labels rendered; empty for none */
  samples(labels = ''): Sample[] {
    const before = labels === '' ? '' : `${labels},`;
    let below = 0;
    const samples: Sample[] = this.#bounds.map((bound, index) => {
      below += this.#counts[index] ?? 0;
      return { labels: `${before}le="${bound}"`, value: below, suffix: '_bucket' };
    });
    samples.push({ labels: `${before}le="+Inf"`, value: this.#count, suffix: '_bucket' });
    samples.push({ labels, value: this.#sum, suffix: '_sum' });
    samples.push({ labels, value: this.#count, suffix: '_count' });
    return samples;
  }

  family(name: string, help: string): MetricFamily {
    return { name, help, type: 'histogram', samples: this.samples() };
  }
}
