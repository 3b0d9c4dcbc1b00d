/**
 * The trace that a request belongs to, as its headers say it: W3C Trace Context (`traceparent`, `tracestate`), and B3 in one
 * header or in several (facts l7-and-control 8.2). What cannot be read counts as absent, and is replaced.
 */

type Header = readonly [name: string, value: string];

export interface TraceFormats {
  readonly w3c: boolean;
  readonly b3: boolean;
}

/** What the headers of a request say. */
export interface IncomingTrace {
  /** 32 or 16 hexadecimal digits; undefined where no trace is named. */
  readonly traceId: string | undefined;
  /** Of the span that called. */
  readonly spanId: string | undefined;
  /** What somebody decided before; undefined: nobody did. */
  readonly sampled: boolean | undefined;
  /** What other systems say of the trace; only with W3C headers. */
  readonly state: string;
  /** The headers that it came in. */
  readonly has: { readonly w3c: boolean; readonly b3Single: boolean; readonly b3Multi: boolean };
}

/** A span as the next hop is told of it. */
export interface OutgoingTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly sampled: boolean;
  readonly state: string;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const B3 = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/i;
const TRACE_ID = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/i;
const SPAN_ID = /^[0-9a-f]{16}$/i;
const ZEROS = /^0+$/;
const SAMPLED_BIT = 1;
/** A longer list is not passed on (W3C Trace Context 3.3.1.5 asks for 512 at least). */
const MAX_STATE_LENGTH = 4096;

const W3C_NAMES: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);
const B3_MULTI_NAMES: ReadonlySet<string> = new Set([
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
]);

/** The trace headers of one request, by name; undefined where there are none at all. */
export function readTrace(headers: readonly Header[]): IncomingTrace | undefined {
  let found: Map<string, string> | undefined;
  for (const [name, value] of headers) {
    if (!isTraceHeader(name)) continue;
    found ??= new Map();
    const before = found.get(name);
    // A list may come in several fields; of anything else there is one, or none that can be trusted.
    found.set(name, before === undefined ? value : `${before},${value}`);
  }
  if (found === undefined) return undefined;
  const has = {
    w3c: found.has('traceparent'),
    b3Single: found.has('b3'),
    b3Multi: [...B3_MULTI_NAMES].some((name) => found.has(name)),
  };
  const read = readW3c(found) ?? readB3Single(found.get('b3')) ?? readB3Multi(found);
  return { traceId: undefined, spanId: undefined, sampled: undefined, state: '', ...read, has };
}

/** Asked of every header of every request: most are settled by their first letter. */
function isTraceHeader(name: string): boolean {
  if (name.startsWith('t')) return W3C_NAMES.has(name);
  return name === 'b3' || (name.startsWith('x-b3-') && B3_MULTI_NAMES.has(name));
}

type Read = Partial<Omit<IncomingTrace, 'has'>>;

function readW3c(headers: ReadonlyMap<string, string>): Read | undefined {
  const [whole, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(headers.get('traceparent') ?? '') ?? [];
  if (whole === undefined || ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  // Version 00 has nothing after the flags.
  if (whole.startsWith('00') && more !== undefined) return undefined;
  const state = headers.get('tracestate') ?? '';
  const sampled = (Number.parseInt(flags, 16) & SAMPLED_BIT) !== 0;
  return { traceId, spanId, sampled, state: state.length > MAX_STATE_LENGTH ? '' : state };
}

function readB3Single(header: string | undefined): Read | undefined {
  if (header === undefined) return undefined;
  const decision = decisionOf(header);
  if (decision !== undefined) return { sampled: decision };
  const [whole, traceId = '', spanId = '', state] = B3.exec(header) ?? [];
  if (whole === undefined || ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId: traceId.toLowerCase(), spanId: spanId.toLowerCase(), sampled: decisionOf(state) };
}

function readB3Multi(headers: ReadonlyMap<string, string>): Read {
  const sampled = headers.get('x-b3-flags') === '1' ? true : decisionOf(headers.get('x-b3-sampled'));
  const traceId = headers.get('x-b3-traceid') ?? '';
  const spanId = headers.get('x-b3-spanid') ?? '';
  const isTrace = TRACE_ID.test(traceId) && SPAN_ID.test(spanId) && !ZEROS.test(traceId) && !ZEROS.test(spanId);
  return isTrace ? { traceId: traceId.toLowerCase(), spanId: spanId.toLowerCase(), sampled } : { sampled };
}

function decisionOf(text: string | undefined): boolean | undefined {
  if (text === '1' || text === 'd' || text === 'true') return true;
  return text === '0' || text === 'false' ? false : undefined;
}

/**
 * The headers with this span in place of the caller's: in the wanted formats, and in those that the request came with, so
 * that whatever an application copies leads to the same trace.
 */
export function writeTrace(
  headers: readonly Header[],
  trace: OutgoingTrace,
  formats: TraceFormats,
  incoming: IncomingTrace | undefined,
): readonly Header[] {
  const kept = incoming === undefined ? [...headers] : headers.filter(([name]) => !isTraceHeader(name));
  const { traceId, spanId, parentId, sampled, state } = trace;
  const flag = sampled ? '1' : '0';
  if (formats.w3c || incoming?.has.w3c === true) {
    kept.push(['traceparent', `00-${traceId.length < 32 ? traceId.padStart(32, '0') : traceId}-${spanId}-0${flag}`]);
    if (state !== '') kept.push(['tracestate', state]);
  }
  if (incoming?.has.b3Single === true) {
    kept.push(['b3', `${traceId}-${spanId}-${flag}${parentId === undefined ? '' : `-${parentId}`}`]);
  }
  if (formats.b3 || incoming?.has.b3Multi === true) {
    kept.push(['x-b3-traceid', traceId], ['x-b3-spanid', spanId]);
    if (parentId !== undefined) kept.push(['x-b3-parentspanid', parentId]);
    kept.push(['x-b3-sampled', flag]);
  }
  return kept;
}
