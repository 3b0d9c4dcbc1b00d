/**
 * Lines of access logs: text with operators, or a tree of such texts as JSON (facts l7-and-control 8.4).
 *
 * Invariant: whatever a peer sends, a line is one line, a quoted field stays one field, and JSON stays JSON.
 */
import type { FormatContext } from './format-context.ts';
import { findOperator, type Operator } from './operators.ts';
import { type FormatCommand, parseFormat } from './parse-format.ts';

/** Ready to be filled in, without a line break at the end. */
export interface LineFormat {
  readonly fill: (context: FormatContext) => string;
  /** Operators that waypoints do not know: nothing stands for them. */
  readonly unknown: readonly string[];
}

/** A tree of values as JSON has them. */
type JsonTree = string | number | boolean | null | { readonly [name: string]: JsonTree } | readonly JsonTree[];

interface Options {
  readonly omitEmptyValues: boolean;
}

const ABSENT = '-';

/** The default of Istio. */
export const DEFAULT_LINE =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

export const DEFAULT_JSON: JsonTree = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
};

/** A text; line breaks at its end are the writer's business. */
export function compileLine(text: string, { omitEmptyValues }: Options): LineFormat {
  const unknown: string[] = [];
  const parts = partsOf(text.replace(/\n+$/, ''), unknown);
  const absent = omitEmptyValues ? '' : ABSENT;
  return {
    unknown,
    fill: (context) => {
      let line = '';
      for (const part of parts) line += typeof part === 'string' ? part : safeText(part(context) ?? absent);
      return line;
    },
  };
}

/** A tree; a value that is one operator keeps its type, and is null where there is nothing. */
export function compileJsonLine(tree: JsonTree, { omitEmptyValues }: Options): LineFormat {
  const unknown: string[] = [];
  const node = compileNode(tree, unknown);
  return { unknown, fill: (context) => safeJson(JSON.stringify(pruned(node(context), omitEmptyValues) ?? {})) };
}

/** The values of a tree that has no levels, as texts; what is absent is left out. */
export function compileFields(tree: JsonTree): {
  readonly fill: (context: FormatContext) => Map<string, string>;
  readonly unknown: readonly string[];
} {
  const unknown: string[] = [];
  const nodes = Object.entries(typeof tree === 'object' && tree !== null ? tree : {}).map(
    ([name, value]) => [name, compileNode(value, unknown)] as const,
  );
  const fill = (context: FormatContext) => {
    const fields = new Map<string, string>();
    for (const [name, node] of nodes) {
      const value = node(context);
      if (value !== null) fields.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
    }
    return fields;
  };
  return { fill, unknown };
}

type Node = (context: FormatContext) => JsonTree;

function compileNode(tree: JsonTree, unknown: string[]): Node {
  if (typeof tree === 'string') return compileText(tree, unknown);
  if (typeof tree !== 'object' || tree === null) return () => tree;
  if (Array.isArray(tree)) {
    const items = (tree as readonly JsonTree[]).map((item) => compileNode(item, unknown));
    return (context) => items.map((item) => item(context));
  }
  const fields = Object.entries(tree).map(([name, value]) => [name, compileNode(value, unknown)] as const);
  return (context) => Object.fromEntries(fields.map(([name, value]) => [name, value(context)]));
}

function compileText(text: string, unknown: string[]): Node {
  const parts = partsOf(text, unknown);
  const [only, ...more] = parts;
  if (typeof only === 'function' && more.length === 0) {
    return (context) => {
      const value = only(context) ?? null;
      return typeof value === 'string' ? legible(value) : value;
    };
  }
  return (context) =>
    legible(parts.map((part) => (typeof part === 'string' ? part : (part(context) ?? ABSENT))).join(''));
}

/** What is not there is left out, wherever it is. */
function pruned(tree: JsonTree, isWanted: boolean): JsonTree {
  if (!isWanted || typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  const fields = Object.entries(tree).map(([name, value]) => [name, pruned(value, isWanted)] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== null));
}

function partsOf(text: string, unknown: string[]): readonly (string | Operator)[] {
  const parsed = parseFormat(text);
  if (parsed === undefined) {
    unknown.push(text);
    return [text];
  }
  return parsed.map((part) => (typeof part === 'string' ? part : operatorOf(part, unknown)));
}

function operatorOf({ name, argument, maxLength }: FormatCommand, unknown: string[]): Operator {
  const operator = findOperator(name, argument);
  if (operator === undefined) {
    unknown.push(argument === undefined ? `%${name}%` : `%${name}(${argument})%`);
    return () => undefined;
  }
  if (maxLength === undefined) return operator;
  return (context) => {
    const value = operator(context);
    return value === undefined ? undefined : String(value).slice(0, maxLength);
  };
}

/** Headers have one character per byte; where the bytes are UTF-8, that is what people read. */
function legible(value: string): string {
  return /[\u0080-\u00ff]/.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE_TEXT = /[\u0000-\u001f"\u007f-\u009f\u2028\u2029]/g;
const LATE_CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function safeText(value: string | number): string {
  return typeof value === 'number' ? String(value) : legible(value).replace(UNSAFE_TEXT, escaped);
}

/** What JSON lets stand and readers of lines do not. */
function safeJson(text: string): string {
  return text.replace(LATE_CONTROLS, escaped);
}
