/**
 * What MeshConfig says of traces and access logs: providers that are told of requests, which of them are asked by default,
 * and the file of the access log (facts l7-and-control 6.5, 8.1, 8.4).
 */
import type { FieldReader } from './manifest/field-reader.ts';
import { readProviderService, readProviderTimeout } from './provider-service.ts';

/** A service that takes what it is sent. */
export interface CollectorAddress {
  /** Empty: that of the only service of the host name. */
  readonly namespace: string;
  readonly hostname: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** How a line is written: the default in either form, a text with operators, or a tree of them as JSON. */
export interface LineFormat {
  /** Empty for the default, or where there is a tree. */
  readonly text: string;
  /** Empty for none. */
  readonly json: string;
  readonly omitEmptyValues: boolean;
  readonly defaultJson: boolean;
}

interface Named {
  readonly name: string;
}

export interface ZipkinProvider extends Named {
  readonly kind: 'zipkin';
  readonly collector: CollectorAddress;
  readonly path: string;
  readonly alsoW3c: boolean;
  readonly shortTraceIds: boolean;
  readonly maxTagLength: number;
}

export interface OtlpTracesProvider extends Named {
  readonly kind: 'otlp-traces';
  readonly collector: CollectorAddress;
  /** Empty for gRPC. */
  readonly httpPath: string;
  readonly maxTagLength: number;
}

export interface FileLogProvider extends Named {
  readonly kind: 'file-log';
  readonly path: string;
  readonly format: LineFormat;
}

export interface OtlpLogProvider extends Named {
  readonly kind: 'otlp-log';
  readonly collector: CollectorAddress;
  readonly logName: string;
  readonly format: LineFormat;
}

/** Of a kind that waypoints cannot tell anything: known, so that it can be said which. */
export interface OtherProvider extends Named {
  readonly kind: 'other';
  readonly field: string;
}

export type TelemetryProviderConfig =
  | ZipkinProvider
  | OtlpTracesProvider
  | FileLogProvider
  | OtlpLogProvider
  | OtherProvider;

export interface MeshTelemetryConfig {
  readonly providers: readonly TelemetryProviderConfig[];
  readonly tracingOff: boolean;
  /** Name of a provider; empty for none. */
  readonly defaultTracing: string;
  readonly defaultAccessLogging: readonly string[];
  readonly samplingPercent: number;
  readonly maxTagLength: number;
  /** The file of the access log; undefined where none is configured. */
  readonly accessLog: { readonly path: string; readonly format: LineFormat } | undefined;
}

/** Istio's own (facts l7-and-control 8.2). */
const DEFAULT_SAMPLING_PERCENT = 1;
const DEFAULT_TAG_LENGTH = 256;
const MAX_TAG_LENGTH = 65_536;
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_TIMEOUT_MS = 600_000;
const ZIPKIN_PATH = '/api/v2/spans';
const OTLP_PATH = '/v1/traces';
const STDOUT = '/dev/stdout';
/** A provider that Istio has without being told. */
const ENVOY = 'envoy';
const HEADER_NAME = /^[!#$%&'+\-.^_`|~0-9a-z]+$/i;
const BAD_HEADER_VALUE = /[^\t -~]|^[ \t]|[ \t]$/;
const DEFAULT_FORMAT: LineFormat = { text: '', json: '', omitEmptyValues: false, defaultJson: false };

const OTHERS = [
  'datadog',
  'skywalking',
  'stackdriver',
  'lightstep',
  'opencensus',
  'envoyHttpAls',
  'envoyTcpAls',
  'prometheus',
];

export const NO_TELEMETRY_CONFIG: MeshTelemetryConfig = {
  providers: [envoyProvider(DEFAULT_FORMAT), { name: 'prometheus', kind: 'other', field: 'prometheus' }],
  tracingOff: false,
  defaultTracing: '',
  defaultAccessLogging: [],
  samplingPercent: DEFAULT_SAMPLING_PERCENT,
  maxTagLength: DEFAULT_TAG_LENGTH,
  accessLog: undefined,
};

function envoyProvider(format: LineFormat): FileLogProvider {
  return { name: ENVOY, kind: 'file-log', path: STDOUT, format };
}

/** Reads what concerns telemetry; what is wrong is reported with its field. */
export function readTelemetryConfig(mesh: FieldReader): MeshTelemetryConfig {
  const format = readMeshFormat(mesh);
  const written = mesh.children('extensionProviders').flatMap((provider) => readProvider(provider));
  const builtIn = [envoyProvider(format), ...NO_TELEMETRY_CONFIG.providers.slice(1)];
  const defaults = mesh.child('defaultProviders');
  const tracing = mesh.child('defaultConfig').child('tracing');
  const path = mesh.string('accessLogFile') ?? '';
  return {
    providers: [...written, ...builtIn.filter(({ name }) => written.every((own) => own.name !== name))],
    tracingOff: mesh.boolean('enableTracing') === false,
    defaultTracing: defaults.strings('tracing')[0] ?? '',
    defaultAccessLogging: defaults.strings('accessLogging'),
    samplingPercent: readPercent(tracing, 'sampling') ?? DEFAULT_SAMPLING_PERCENT,
    maxTagLength: tracing.integer('maxPathTagLength', 1, MAX_TAG_LENGTH) ?? DEFAULT_TAG_LENGTH,
    accessLog: path === '' ? undefined : { path: readPath(mesh, 'accessLogFile', path), format },
  };
}

function readPercent(fields: FieldReader, name: string): number | undefined {
  const value = fields.raw(name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  fields.report(name, 'must be a number from 0 to 100');
  return undefined;
}

function readMeshFormat(mesh: FieldReader): LineFormat {
  const text = mesh.string('accessLogFormat') ?? '';
  const encoding = mesh.oneOf('accessLogEncoding', ['TEXT', 'JSON']);
  if (encoding !== 'JSON') return { ...DEFAULT_FORMAT, text };
  if (text === '') return { ...DEFAULT_FORMAT, defaultJson: true };
  if (!isJsonObject(text)) mesh.report('accessLogFormat', 'is no JSON object, which accessLogEncoding JSON asks for');
  return { ...DEFAULT_FORMAT, json: text };
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    // The caller says which field it is.
    return false;
  }
}

function readProvider(provider: FieldReader): TelemetryProviderConfig[] {
  const name = provider.string('name') ?? '';
  if (provider.has('zipkin')) return [readZipkin(name, provider.child('zipkin'))];
  if (provider.has('opentelemetry')) return [readOtlp(name, provider.child('opentelemetry'))];
  if (provider.has('envoyFileAccessLog')) return [readFileLog(name, provider.child('envoyFileAccessLog'))];
  if (provider.has('envoyOtelAls')) return [readOtlpLog(name, provider.child('envoyOtelAls'))];
  const field = OTHERS.find((other) => provider.has(other));
  return field === undefined ? [] : [{ name, kind: 'other', field }];
}

function readZipkin(name: string, fields: FieldReader): ZipkinProvider {
  const context = fields.oneOf('traceContextOption', ['USE_B3', 'USE_B3_WITH_W3C_PROPAGATION']);
  return {
    name,
    kind: 'zipkin',
    collector: readCollector(fields, fields),
    path: readUrlPath(fields, ZIPKIN_PATH),
    alsoW3c: context === 'USE_B3_WITH_W3C_PROPAGATION',
    shortTraceIds: fields.boolean('enable64bitTraceId') ?? false,
    maxTagLength: readTagLength(fields),
  };
}

function readOtlp(name: string, fields: FieldReader): OtlpTracesProvider {
  const http = fields.child('http');
  if (http.isPresent && fields.has('grpc')) fields.report('grpc', 'cannot be given together with http');
  return {
    name,
    kind: 'otlp-traces',
    collector: readCollector(fields, http.isPresent ? http : fields.child('grpc')),
    httpPath: http.isPresent ? readUrlPath(http, OTLP_PATH) : '',
    maxTagLength: readTagLength(fields),
  };
}

function readFileLog(name: string, fields: FieldReader): FileLogProvider {
  const path = readPath(fields, 'path', fields.string('path') ?? '');
  return { name, kind: 'file-log', path, format: readFormat(fields.child('logFormat')) };
}

function readOtlpLog(name: string, fields: FieldReader): OtlpLogProvider {
  const logName = fields.string('logName') || 'otel_envoy_accesslog';
  const collector = readCollector(fields, fields);
  const format = fields.child('logFormat');
  // Body and attributes, side by side.
  return {
    name,
    kind: 'otlp-log',
    collector,
    logName,
    format: { ...readFormat(format), text: format.string('text') ?? '' },
  };
}

/** The labels of a line of JSON are under `labels`; a text is under `text`. */
function readFormat(format: FieldReader): LineFormat {
  const labels = format.raw('labels');
  const text = format.string('text') ?? '';
  if (labels !== undefined && (typeof labels !== 'object' || Array.isArray(labels))) {
    format.report('labels', 'must be an object');
  }
  const json = labels === undefined ? '' : JSON.stringify(labels);
  return {
    text: json === '' ? text : '',
    json,
    omitEmptyValues: format.boolean('omitEmptyValues') ?? false,
    defaultJson: false,
  };
}

/** @param settings what has the timeout and the headers */
function readCollector(fields: FieldReader, settings: FieldReader): CollectorAddress {
  const port = fields.integer('port', 1, 65_535) ?? 0;
  if (!fields.has('port')) fields.report('port', 'is required');
  return {
    ...readProviderService(fields),
    port,
    timeoutMs: readProviderTimeout(settings, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
    headers: readHeaders(settings),
  };
}

function readHeaders(fields: FieldReader): Map<string, string> {
  const headers = new Map<string, string>();
  for (const list of ['headers', 'initialMetadata']) {
    for (const header of fields.children(list)) {
      const name = header.required('name').toLowerCase();
      const value = header.string('value') ?? '';
      if (!HEADER_NAME.test(name)) header.report('name', `"${name}" is not the name of a header`);
      if (BAD_HEADER_VALUE.test(value)) header.report('value', 'cannot be that of a header');
      if (header.has('envName')) header.report('envName', 'cannot be used: values come from value alone');
      headers.set(name, value);
    }
  }
  return headers;
}

function readUrlPath(fields: FieldReader, fallback: string): string {
  const path = fields.string('path') || fallback;
  if (!/^\/[!-~]*$/.test(path)) fields.report('path', 'is no path that starts with "/"');
  return path;
}

function readTagLength(fields: FieldReader): number {
  return fields.integer('maxTagLength', 1, MAX_TAG_LENGTH) ?? 0;
}

function readPath(fields: FieldReader, name: string, path: string): string {
  if (!path.startsWith('/') || path.includes('\0')) fields.report(name, `"${path}" is no path that starts with "/"`);
  return path;
}
