/** Where lines of access logs go, by provider: files, and collectors of OpenTelemetry (facts l7-and-control 8.4). */

import type { FormatContext } from '../../format/format-context.ts';
import { compileFields, compileJsonLine, compileLine, DEFAULT_JSON, DEFAULT_LINE } from '../../format/line-format.ts';
import type { FileAccessLog, TelemetryProvider } from '../../proto/gen/ambit.ts';
import { ExportLogsServiceRequest } from '../../proto/gen/otlp.ts';
import { type MetricFamily, renderLabels } from '../../telemetry/exposition.ts';
import { BatchExporter, type BatchExporterDeps, type ExportCounts } from './batch-exporter.ts';
import { type CallCollectorDeps, callCollector } from './call-collector.ts';
import { LineFiles } from './line-files.ts';
import { textAttribute, unixNano } from './otlp-encoding.ts';

export interface LogReportersDeps extends CallCollectorDeps, BatchExporterDeps {
  readonly source: { readonly serviceName: string; readonly nodeId: string };
}

/** Writes a line for a request that is over. */
export type WriteLine = (context: FormatContext) => void;

interface OtlpLine {
  readonly timeMs: number;
  readonly body: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly traceId: string | undefined;
}

type FileTree = Parameters<typeof compileJsonLine>[0];

interface Known {
  readonly settings: string;
  readonly write: WriteLine;
  readonly exporter: BatchExporter<OtlpLine> | undefined;
}

const GRPC_PATH = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const TRACE_ID_DIGITS = 32;

export class LogReporters {
  readonly #deps: LogReportersDeps;
  readonly #files: LineFiles;
  readonly #known = new Map<string, Known>();
  readonly #counts = new Map<string, ExportCounts>();

  constructor(deps: LogReportersDeps) {
    this.#deps = deps;
    this.#files = new LineFiles(deps.logger, deps.clock);
  }

  /** @returns undefined for a provider that takes no lines */
  of(provider: TelemetryProvider): WriteLine | undefined {
    const settings = JSON.stringify(provider);
    const before = this.#known.get(provider.name);
    if (before?.settings === settings) return before.write;
    const made = this.#make(provider);
    if (made === undefined) return undefined;
    before?.exporter?.stop();
    this.#known.set(provider.name, { settings, ...made });
    return made.write;
  }

  get pending(): number {
    return [...this.#known.values()].reduce((sum, { exporter }) => sum + (exporter?.pending ?? 0), 0);
  }

  flush(): void {
    for (const { exporter } of this.#known.values()) exporter?.flush();
  }

  stop(): void {
    for (const { exporter } of this.#known.values()) exporter?.stop();
    this.#files.stop();
  }

  families(): MetricFamily[] {
    const samples = [...this.#counts].flatMap(([provider, counts]) =>
      (['sent', 'dropped'] as const).map((outcome) => ({
        labels: renderLabels([
          ['provider', provider],
          ['outcome', outcome],
        ]),
        value: counts[outcome],
      })),
    );
    const help = 'Lines of access logs that a collector was sent, and that were dropped because it could not be.';
    return [{ name: 'ambit_waypoint_log_lines', help, type: 'counter', samples }];
  }

  #make({ name, collector, kind }: TelemetryProvider): Pick<Known, 'write' | 'exporter'> | undefined {
    if (kind?.$case === 'file') return { write: this.#fileWriter(name, kind.file), exporter: undefined };
    if (kind?.$case !== 'otlpLogs' || collector === undefined) return undefined;
    const { logName, text, json } = kind.otlpLogs;
    const body = compileLine(text || DEFAULT_LINE, { omitEmptyValues: false });
    const fields = compileFields(json === '' ? {} : (JSON.parse(json) as FileTree));
    this.#sayUnknown(name, [...body.unknown, ...fields.unknown]);
    const send = (lines: readonly OtlpLine[]) => {
      const message = { protocol: 'grpc', path: GRPC_PATH, contentType: 'application/grpc' } as const;
      return callCollector(collector, { ...message, body: this.#encode(logName, lines) }, this.#deps);
    };
    const exporter = new BatchExporter({ provider: name, counts: this.#countsOf(name), send }, this.#deps);
    const { clock } = this.#deps;
    const write = (context: FormatContext) => {
      const { traceId } = context;
      exporter.add({ timeMs: clock.nowMs(), body: body.fill(context), attributes: fields.fill(context), traceId });
    };
    return { write, exporter };
  }

  #fileWriter(name: string, { path, text, json, omitEmptyValues, defaultJson }: FileAccessLog): WriteLine {
    const tree = json === '' ? DEFAULT_JSON : (JSON.parse(json) as FileTree);
    const isJson = json !== '' || (text === '' && defaultJson);
    const format = isJson
      ? compileJsonLine(tree, { omitEmptyValues })
      : compileLine(text || DEFAULT_LINE, { omitEmptyValues });
    this.#sayUnknown(name, format.unknown);
    const write = this.#files.of(path);
    return (context) => write(format.fill(context));
  }

  #sayUnknown(provider: string, unknown: readonly string[]): void {
    if (unknown.length === 0) return;
    const reason = `waypoints cannot fill in ${unknown.join(', ')}`;
    this.#deps.logger.warn('a format of an access log has operators that stand for nothing', { provider, reason });
  }

  #encode(logName: string, lines: readonly OtlpLine[]): Uint8Array {
    const { serviceName, nodeId } = this.#deps.source;
    const resource = {
      attributes: [
        textAttribute('log_name', logName),
        textAttribute('service.name', serviceName),
        textAttribute('cluster_name', serviceName),
        textAttribute('node_name', nodeId),
      ],
    };
    const logRecords = lines.map(({ timeMs, body, attributes, traceId }) => ({
      timeUnixNano: unixNano(timeMs),
      body: { value: { $case: 'stringValue', stringValue: body } as const },
      attributes: [...attributes].map(([key, value]) => textAttribute(key, value)),
      traceId: Buffer.from(traceId?.padStart(TRACE_ID_DIGITS, '0') ?? '', 'hex'),
      spanId: Buffer.alloc(0),
    }));
    return ExportLogsServiceRequest.encode({
      resourceLogs: [{ resource, scopeLogs: [{ scope: { name: logName }, logRecords }] }],
    }).finish();
  }

  #countsOf(provider: string): ExportCounts {
    const counts = this.#counts.get(provider) ?? { sent: 0, dropped: 0 };
    this.#counts.set(provider, counts);
    return counts;
  }
}
