/**
 * The span of a request: whether there is one, what the endpoint is told of it, and what a collector is told in the end
 * (facts l7-and-control 8.2, 8.3).
 *
 * Invariants:
 * - Who decided before is followed: a trace is whole, or not there.
 * - A request that somebody decided not to trace goes on with the headers that it came with.
 */
import type { Format } from '../format/compile-format.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { HttpHeader } from '../http/http-stream.ts';
import {
  type IncomingTrace,
  type OutgoingTrace,
  readTrace,
  type TraceFormats,
  writeTrace,
} from '../telemetry/trace-context.ts';
import type { TraceIds } from '../telemetry/trace-ids.ts';
import type { FinishedSpan } from './reporting/finished-span.ts';
import type { RequestFields } from './request-fields.ts';

/** A tag that a Telemetry object adds. */
export type CustomTag =
  | { readonly name: string; readonly kind: 'text'; readonly text: string }
  | { readonly name: string; readonly kind: 'header'; readonly header: string; readonly defaultValue: string }
  | { readonly name: string; readonly kind: 'format'; readonly format: Format };

/** How the requests of some service are traced. */
export interface TracingPlan {
  readonly formats: TraceFormats;
  readonly shortTraceIds: boolean;
  /** Of the requests that nobody decided about, from 0 to 1. */
  readonly samplingShare: number;
  /** Whether `x-request-id` may say that a request is traced. */
  readonly useRequestId: boolean;
  /** Whether endpoints are told. */
  readonly propagates: boolean;
  readonly istioTags: boolean;
  readonly maxTagLength: number;
  readonly customTags: readonly CustomTag[];
  /** Undefined: nobody is told. */
  readonly report: ((span: FinishedSpan) => void) | undefined;
}

/** What is known of a request when it is over. */
export interface SpanEnd {
  readonly name: string;
  readonly context: FormatContext;
  readonly clientAddress: string;
  readonly failed: boolean;
  readonly tags: ReadonlyMap<string, string>;
}

export interface RequestTracerDeps {
  readonly random: () => number;
  readonly ids: TraceIds;
}

/** The place of an id that says whether it is traced, and what it says (facts l7-and-control 8.2). */
const DECISION_AT = 14;
const UUID_LENGTH = 36;
const TRACED = '9ab';

/** @returns undefined where nothing is to be done for the request */
export function traceRequest(
  request: RequestFields,
  plan: TracingPlan,
  { random, ids }: RequestTracerDeps,
): RequestTrace | undefined {
  const incoming = readTrace(request.headers);
  if (incoming?.sampled === false) return undefined;
  const sampled =
    incoming?.sampled === true ||
    (plan.useRequestId && isTracedId(request.header('x-request-id'))) ||
    random() < plan.samplingShare;
  if (!sampled && !plan.propagates) return undefined;
  if (sampled) request.markTraced();
  const outgoing = {
    traceId: incoming?.traceId ?? (plan.shortTraceIds ? ids.spanId() : ids.traceId()),
    spanId: ids.spanId(),
    parentId: incoming?.spanId,
    sampled,
    state: incoming?.state ?? '',
  };
  return new RequestTrace(outgoing, incoming, plan);
}

function isTracedId(id: string | undefined): boolean {
  return id?.length === UUID_LENGTH && TRACED.includes(id[DECISION_AT] ?? '');
}

export class RequestTrace {
  readonly #trace: OutgoingTrace;
  readonly #incoming: IncomingTrace | undefined;
  readonly #plan: TracingPlan;

  constructor(trace: OutgoingTrace, incoming: IncomingTrace | undefined, plan: TracingPlan) {
    this.#trace = trace;
    this.#incoming = incoming;
    this.#plan = plan;
  }

  get traceId(): string {
    return this.#trace.traceId;
  }

  get spanId(): string {
    return this.#trace.spanId;
  }

  /** The headers for the endpoint. */
  write(headers: readonly HttpHeader[]): readonly HttpHeader[] {
    return this.#plan.propagates ? writeTrace(headers, this.#trace, this.#plan.formats, this.#incoming) : headers;
  }

  /** The request is over. @param end asked for only where somebody is told */
  finish(end: (plan: TracingPlan) => SpanEnd): void {
    const { report } = this.#plan;
    if (report === undefined || !this.#trace.sampled) return;
    const { name, context, clientAddress, failed, tags } = end(this.#plan);
    const { traceId, spanId, parentId, state } = this.#trace;
    const { startMs, durationMs } = context;
    const all = new Map(tags);
    for (const tag of this.#plan.customTags) {
      const value = tagText(tag, context);
      if (value !== '') all.set(tag.name, value);
    }
    for (const [tag, value] of all) all.set(tag, legible(value).slice(0, this.#plan.maxTagLength));
    report({ traceId, spanId, parentId, state, name, startMs, durationMs, failed, clientAddress, tags: all });
  }
}

function tagText(tag: CustomTag, context: FormatContext): string {
  if (tag.kind === 'text') return tag.text;
  if (tag.kind === 'header') return context.requestHeader(tag.header) ?? tag.defaultValue;
  return tag.format.fill(context);
}

/** Headers have one character per byte; where the bytes are UTF-8, that is what people read. */
function legible(value: string): string {
  return /[\u0080-\u00ff]/.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}
