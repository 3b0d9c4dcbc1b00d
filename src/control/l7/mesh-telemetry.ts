/** What MeshConfig says of traces and access logs, in the form for waypoints (facts l7-and-control 8.1, 8.4). */
import type {
  CollectorAddress,
  LineFormat,
  MeshTelemetryConfig,
  TelemetryProviderConfig,
} from '../../model/telemetry-config.ts';
import type { Collector, FileAccessLog, MeshTelemetry, TelemetryProvider } from '../../proto/gen/ambit.ts';

export function buildMeshTelemetry(config: MeshTelemetryConfig): MeshTelemetry {
  const { providers, defaultTracing, defaultAccessLogging, tracingOff, samplingPercent, maxTagLength, accessLog } =
    config;
  return {
    providers: providers.filter(({ kind }) => kind !== 'other').map(buildProvider),
    defaultTracing,
    defaultAccessLogging: [...defaultAccessLogging],
    tracingOff,
    samplingPercent,
    maxTagLength,
    accessLog: accessLog && fileLog(accessLog.path, accessLog.format),
  };
}

function buildProvider(provider: TelemetryProviderConfig): TelemetryProvider {
  const { name } = provider;
  switch (provider.kind) {
    case 'zipkin': {
      const { collector, path, alsoW3c, maxTagLength, shortTraceIds } = provider;
      const zipkin = { path, alsoW3c, maxTagLength, shortTraceIds };
      return { name, collector: buildCollector(collector), kind: { $case: 'zipkin', zipkin } };
    }
    case 'otlp-traces': {
      const { collector, httpPath, maxTagLength } = provider;
      const otlpTraces = { httpPath, maxTagLength };
      return { name, collector: buildCollector(collector), kind: { $case: 'otlpTraces', otlpTraces } };
    }
    case 'otlp-log': {
      const { collector, logName, format } = provider;
      const otlpLogs = { logName, text: format.text, json: format.json };
      return { name, collector: buildCollector(collector), kind: { $case: 'otlpLogs', otlpLogs } };
    }
    case 'file-log':
      return { name, collector: undefined, kind: { $case: 'file', file: fileLog(provider.path, provider.format) } };
    default:
      return { name, collector: undefined, kind: undefined };
  }
}

function buildCollector({ namespace, hostname, port, timeoutMs, headers }: CollectorAddress): Collector {
  return { namespace, hostname, port, timeoutMs, headers: [...headers].map(([name, value]) => ({ name, value })) };
}

function fileLog(path: string, { text, json, omitEmptyValues, defaultJson }: LineFormat): FileAccessLog {
  return { path, text, json, omitEmptyValues, defaultJson };
}
