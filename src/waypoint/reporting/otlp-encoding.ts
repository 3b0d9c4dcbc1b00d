/** Spans and lines of access logs as OpenTelemetry has them (facts l7-and-control 8.1). */
import { ExportTraceServiceRequest, type KeyValue } from '../../proto/gen/otlp.ts';
import type { FinishedSpan, SpanSource } from './finished-span.ts';

const SERVER = 2;
const ERROR = 2;
const US_PER_MS = 1000;
const NS_PER_US = 1000n;
const TRACE_ID_DIGITS = 32;
const SCOPE = { name: 'ambit' };

/** A request of the trace service, for gRPC and for HTTP. */
export function encodeOtlpTraces(spans: readonly FinishedSpan[], { serviceName }: SpanSource): Uint8Array {
  const resource = { attributes: [textAttribute('service.name', serviceName)] };
  return ExportTraceServiceRequest.encode({
    resourceSpans: [{ resource, scopeSpans: [{ scope: SCOPE, spans: spans.map(spanOf) }] }],
  }).finish();
}

function spanOf(span: FinishedSpan) {
  return {
    traceId: Buffer.from(span.traceId.padStart(TRACE_ID_DIGITS, '0'), 'hex'),
    spanId: Buffer.from(span.spanId, 'hex'),
    traceState: span.state,
    parentSpanId: Buffer.from(span.parentId ?? '', 'hex'),
    name: span.name,
    kind: SERVER,
    startTimeUnixNano: unixNano(span.startMs),
    endTimeUnixNano: unixNano(span.startMs + span.durationMs),
    attributes: [...span.tags].map(([name, value]) => textAttribute(name, value)),
    status: span.failed ? { message: '', code: ERROR } : undefined,
  };
}

export function textAttribute(key: string, text: string): KeyValue {
  return { key, value: { value: { $case: 'stringValue', stringValue: text } } };
}

/** @param ms since the epoch; a number holds microseconds, not less */
export function unixNano(ms: number): bigint {
  return BigInt(Math.round(ms * US_PER_MS)) * NS_PER_US;
}
