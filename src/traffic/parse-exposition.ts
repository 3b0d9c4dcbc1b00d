/**
 * Reads the text of Prometheus metrics (`text/plain; version=0.0.4`, and OpenMetrics as far as it is the same).
 *
 * Invariant: whatever a text holds, lines that are no samples are skipped; nothing throws.
 */

export type Labels = Readonly<Record<string, string>>;

export interface ParsedSample {
  /** With its suffix: `istio_requests_total`, `…_bucket`. */
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const NONE: Labels = Object.freeze({});

/** Of the labels of one sample; no proxy writes as many. */
const MAX_LABELS_CHARS = 8192;

/**
 * Label sets that were read before, by their text: from scrape to scrape they are the same.
 *
 * Invariant: what is known holds no scrape in memory, of which it was a part.
 */
export class LabelCache {
  readonly #known = new Map<string, Labels>();
  readonly #max: number;

  constructor(max = 50_000) {
    this.#max = max;
  }

  labels(text: string): Labels | undefined {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (text.length > MAX_LABELS_CHARS) return undefined;
    // A part of a string keeps the whole of it: this one is a copy.
    const own = Buffer.from(text).toString();
    const labels = parseLabels(own);
    if (labels === undefined) return undefined;
    if (this.#known.size >= this.#max) this.#known.clear();
    this.#known.set(own, labels);
    return labels;
  }
}

/** The samples whose names are wanted. */
export function parseExposition(text: string, wanted: (name: string) => boolean, cache: LabelCache): ParsedSample[] {
  const samples: ParsedSample[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    if (text[start] !== '#') {
      const sample = parseLine(text.slice(start, end), wanted, cache);
      if (sample !== undefined) samples.push(sample);
    }
    start = end + 1;
  }
  return samples;
}

function parseLine(line: string, wanted: (name: string) => boolean, cache: LabelCache): ParsedSample | undefined {
  const name = NAME.exec(line)?.[0];
  if (name === undefined || !wanted(name)) return undefined;
  const hasLabels = line[name.length] === '{';
  // No value holds a brace, so the last one ends the labels.
  const close = hasLabels ? line.lastIndexOf('}') : name.length - 1;
  if (close < 0) return undefined;
  const labels = hasLabels ? cache.labels(line.slice(name.length + 1, close)) : NONE;
  const value = Number.parseFloat(
    line
      .slice(close + 1)
      .trimStart()
      .replace(/^\+?Inf/, 'Infinity'),
  );
  return labels === undefined || Number.isNaN(value) ? undefined : { name, labels, value };
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;

function parseLabels(text: string): Labels | undefined {
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  LABEL.lastIndex = 0;
  let end = 0;
  for (let match = LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    const [, name = '', value = ''] = match;
    labels[name] = value.includes('\\') ? unescaped(value) : value;
    end = LABEL.lastIndex;
    if (end >= text.length) break;
  }
  return end === text.length ? labels : undefined;
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}
