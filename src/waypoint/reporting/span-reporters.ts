/** Whom spans are told, by provider: one queue for each, as long as its settings stay the same. */
import type { TelemetryProvider } from '../../proto/gen/ambit.ts';
import type { MetricFamily, Sample } from '../../telemetry/exposition.ts';
import { renderLabels } from '../../telemetry/exposition.ts';
import { BatchExporter, type BatchExporterDeps, type ExportCounts, type SendOutcome } from './batch-exporter.ts';
import { type CallCollectorDeps, callCollector } from './call-collector.ts';
import type { FinishedSpan, SpanSource } from './finished-span.ts';
import { encodeOtlpTraces } from './otlp-encoding.ts';
import { encodeZipkin } from './zipkin-encoding.ts';

export interface SpanReportersDeps extends CallCollectorDeps, BatchExporterDeps {
  readonly source: SpanSource;
}

const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

interface Reporter {
  readonly settings: string;
  readonly exporter: BatchExporter<FinishedSpan>;
}

export class SpanReporters {
  readonly #deps: SpanReportersDeps;
  readonly #reporters = new Map<string, Reporter>();
  readonly #counts = new Map<string, ExportCounts>();

  constructor(deps: SpanReportersDeps) {
    this.#deps = deps;
  }

  /** Takes spans for the provider; undefined for one that is not told of spans. */
  of(provider: TelemetryProvider): ((span: FinishedSpan) => void) | undefined {
    const send = this.#sender(provider);
    if (send === undefined) return undefined;
    const settings = JSON.stringify(provider);
    const known = this.#reporters.get(provider.name);
    if (known?.settings === settings) return (span) => known.exporter.add(span);
    known?.exporter.stop();
    const exporter = new BatchExporter(
      { provider: provider.name, counts: this.#countsOf(provider.name), send },
      this.#deps,
    );
    this.#reporters.set(provider.name, { settings, exporter });
    return (span) => exporter.add(span);
  }

  get pending(): number {
    return [...this.#reporters.values()].reduce((sum, { exporter }) => sum + exporter.pending, 0);
  }

  /** Sends what is there without waiting for more. */
  flush(): void {
    for (const { exporter } of this.#reporters.values()) exporter.flush();
  }

  stop(): void {
    for (const { exporter } of this.#reporters.values()) exporter.stop();
  }

  families(): MetricFamily[] {
    const samples: Sample[] = [...this.#counts].flatMap(([provider, counts]) =>
      (['sent', 'dropped'] as const).map((outcome) => ({
        labels: renderLabels([
          ['provider', provider],
          ['outcome', outcome],
        ]),
        value: counts[outcome],
      })),
    );
    return [
      {
        name: 'ambit_waypoint_spans',
        help: 'Spans of traces that a collector was sent, and that were dropped because it could not be.',
        type: 'counter',
        samples,
      },
    ];
  }

  #countsOf(provider: string): ExportCounts {
    const known = this.#counts.get(provider);
    if (known !== undefined) return known;
    const counts = { sent: 0, dropped: 0 };
    this.#counts.set(provider, counts);
    return counts;
  }

  #sender({
    collector,
    kind,
  }: TelemetryProvider): ((spans: readonly FinishedSpan[]) => Promise<SendOutcome>) | undefined {
    if (collector === undefined) return undefined;
    const { source } = this.#deps;
    if (kind?.$case === 'zipkin') {
      const { path } = kind.zipkin;
      return (spans) => {
        const body = encodeZipkin(spans, source);
        return callCollector(collector, { protocol: 'http', path, contentType: 'application/json', body }, this.#deps);
      };
    }
    if (kind?.$case !== 'otlpTraces') return undefined;
    const { httpPath } = kind.otlpTraces;
    const how =
      httpPath === ''
        ? ({ protocol: 'grpc', path: GRPC_PATH, contentType: 'application/grpc' } as const)
        : ({ protocol: 'http', path: httpPath, contentType: 'application/x-protobuf' } as const);
    return (spans) => callCollector(collector, { ...how, body: encodeOtlpTraces(spans, source) }, this.#deps);
  }
}
