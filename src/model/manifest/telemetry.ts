/** Telemetry (telemetry.istio.io): which traces, access logs and metrics proxies write (facts l7-and-control 6.4). */
import { TELEMETRY_KIND } from '../schema/telemetry-kind.ts';
import { readCheckedSpec } from './checked-spec.ts';
import { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { readPolicyAttachment, type TargetRef } from './target-refs.ts';

/** Where the value of a tag comes from. */
export type TagValue =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'header'; readonly name: string; readonly defaultValue: string }
  | { readonly kind: 'environment'; readonly name: string; readonly defaultValue: string }
  | { readonly kind: 'format'; readonly value: string };

/** What is undefined is that of the object above. */
export interface TracingObject {
  readonly provider: string | undefined;
  readonly samplingPercent: number | undefined;
  readonly disableReporting: boolean | undefined;
  readonly customTags: ReadonlyMap<string, TagValue> | undefined;
  readonly useRequestId: boolean | undefined;
  readonly istioTags: boolean | undefined;
  readonly disablePropagation: boolean | undefined;
}

export interface MetricOverrideObject {
  readonly metric: string;
  readonly disabled: boolean | undefined;
  /** By the name of the tag, the expression of its value; undefined where it is removed. */
  readonly tags: ReadonlyMap<string, string | undefined>;
}

export interface AccessLogObject {
  /** Empty: those of the object above. */
  readonly providers: readonly string[];
  readonly disabled: boolean;
  /** Undefined for all requests. */
  readonly filter: string | undefined;
}

export interface TelemetryObject {
  readonly kind: 'Telemetry';
  readonly meta: ObjectMeta;
  readonly selector: Labels | undefined;
  readonly targets: readonly TargetRef[] | undefined;
  readonly tracing: TracingObject | undefined;
  readonly metrics: readonly MetricOverrideObject[];
  readonly accessLogging: readonly AccessLogObject[];
  /** What it says of clients alone, by field: a waypoint is none. */
  readonly clientOnly: readonly string[];
}

const ALL_METRICS = 'ALL_METRICS';

export function readTelemetry(meta: ObjectMeta, root: FieldReader): TelemetryObject {
  // What is wrong is reported by now.
  const spec = new FieldReader(readCheckedSpec(TELEMETRY_KIND, root), ['spec'], () => undefined);
  const clientOnly: string[] = [];
  const ofServers = (field: string) => (entry: FieldReader) => {
    const isClients = entry.child('match').string('mode') === 'CLIENT';
    if (isClients) clientOnly.push(field);
    return !isClients;
  };
  const [tracing] = spec.children('tracing').filter(ofServers('tracing'));
  const overrides = spec.children('metrics').flatMap((metrics) => metrics.children('overrides'));
  const logging = spec.children('accessLogging').filter(ofServers('accessLogging'));
  return {
    kind: 'Telemetry',
    meta,
    ...readPolicyAttachment(spec),
    tracing: tracing && readTracing(tracing),
    metrics: overrides.filter(ofServers('metrics')).map(readOverride),
    accessLogging: logging.map(readLogging),
    clientOnly,
  };
}

function readTracing(tracing: FieldReader): TracingObject {
  const sampling = tracing.raw('randomSamplingPercentage');
  const tags = tracing.child('customTags');
  return {
    provider: tracing.children('providers')[0]?.string('name'),
    samplingPercent: typeof sampling === 'number' ? sampling : undefined,
    disableReporting: tracing.boolean('disableSpanReporting'),
    customTags: tags.isPresent ? new Map(tags.names().map((name) => [name, readTag(tags.child(name))])) : undefined,
    useRequestId: tracing.boolean('useRequestIdForTraceSampling'),
    istioTags: tracing.boolean('enableIstioTags'),
    disablePropagation: tracing.boolean('disableContextPropagation'),
  };
}

function readTag(tag: FieldReader): TagValue {
  for (const kind of ['header', 'environment'] as const) {
    if (!tag.has(kind)) continue;
    const source = tag.child(kind);
    const name = source.string('name') ?? '';
    const defaultValue = source.string('defaultValue') ?? '';
    return { kind, name: kind === 'header' ? name.toLowerCase() : name, defaultValue };
  }
  if (tag.has('formatter')) return { kind: 'format', value: tag.child('formatter').string('value') ?? '' };
  return { kind: 'literal', value: tag.child('literal').string('value') ?? '' };
}

function readOverride(override: FieldReader): MetricOverrideObject {
  const match = override.child('match');
  const tags = override.child('tagOverrides');
  const expressionOf = (tag: FieldReader) =>
    tag.string('operation') === 'REMOVE' ? undefined : (tag.string('value') ?? '');
  return {
    metric: match.string('customMetric') ?? match.string('metric') ?? ALL_METRICS,
    disabled: override.boolean('disabled'),
    tags: new Map(tags.names().map((name) => [name, expressionOf(tags.child(name))])),
  };
}

function readLogging(logging: FieldReader): AccessLogObject {
  return {
    providers: logging.children('providers').map((provider) => provider.string('name') ?? ''),
    disabled: logging.boolean('disabled') ?? false,
    filter: logging.child('filter').string('expression'),
  };
}
