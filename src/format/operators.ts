/** The command operators that are known here, by name (facts l7-and-control 1.2, 8.4). */
import type { FormatContext } from './format-context.ts';
import { compileTimeFormat } from './time-format.ts';

/** What an operator stands for; undefined where the request has no such thing. */
export type OperatorValue = string | number | undefined;

export type Operator = (context: FormatContext) => OperatorValue;

/** Makes the operator for its argument; undefined where it does not take such a one. */
type OperatorFactory = (argument: string | undefined) => Operator | undefined;

const OPERATORS: ReadonlyMap<string, OperatorFactory> = new Map<string, OperatorFactory>([
  ['REQ', header((context, name) => context.requestHeader(name))],
  ['RESP', header((context, name) => context.responseHeader(name))],
  ['START_TIME', startTime],
  ['DURATION', plain((context) => Math.round(context.durationMs))],
  ['PROTOCOL', plain((context) => context.protocol)],
  ['RESPONSE_CODE', plain((context) => context.responseCode)],
  ['RESPONSE_FLAGS', plain((context) => context.responseFlags || '-')],
  ['RESPONSE_CODE_DETAILS', plain((context) => context.responseCodeDetails)],
  ...address('DOWNSTREAM_REMOTE_', (context) => context.downstreamRemoteAddress),
  ...address('DOWNSTREAM_DIRECT_REMOTE_', (context) => context.downstreamRemoteAddress),
  ...address('DOWNSTREAM_LOCAL_', (context) => context.downstreamLocalAddress),
  ['DOWNSTREAM_PEER_URI_SAN', plain((context) => context.downstreamPeerUriSan)],
  ['REQUESTED_SERVER_NAME', plain((context) => context.requestedServerName)],
  ['UPSTREAM_HOST', plain((context) => context.upstreamHost)],
  ...address('UPSTREAM_REMOTE_', (context) => context.upstreamHost),
  ['UPSTREAM_CLUSTER', plain((context) => context.upstreamCluster)],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', plain((context) => context.attemptCount)],
  ['ROUTE_NAME', plain((context) => context.routeName || undefined)],
  ['STREAM_ID', plain((context) => context.requestId)],
  ['HOSTNAME', plain((context) => context.hostname)],
]);

/** Undefined for one that is not known, or not with such an argument. */
export function findOperator(name: string, argument: string | undefined): Operator | undefined {
  return OPERATORS.get(name)?.(argument);
}

function plain(operator: Operator): OperatorFactory {
  return (argument) => (argument === undefined ? operator : undefined);
}

/** `X?Y`: the header X, else Y. */
function header(read: (context: FormatContext, name: string) => string | undefined): OperatorFactory {
  return (argument) => {
    const [first = '', second, ...more] = (argument ?? '').toLowerCase().split('?');
    if (!isHeaderName(first) || more.length > 0) return undefined;
    if (second === undefined) return (context) => read(context, first);
    if (!isHeaderName(second)) return undefined;
    return (context) => read(context, first) ?? read(context, second);
  };
}

/** A pseudo-header is one, too. */
function isHeaderName(name: string): boolean {
  return /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
}

/** Of the start of the request; without a format as ISO 8601 with milliseconds. */
function startTime(argument: string | undefined): Operator | undefined {
  if (argument === undefined || argument === '') return ({ startMs }) => new Date(startMs).toISOString();
  const format = compileTimeFormat(argument);
  return format && (({ startMs }) => format(startMs));
}

/** An address, without its port, and the port alone. */
function address(
  prefix: string,
  read: (context: FormatContext) => string | undefined,
): readonly (readonly [string, OperatorFactory])[] {
  return [
    [`${prefix}ADDRESS`, plain(read)],
    [`${prefix}ADDRESS_WITHOUT_PORT`, plain((context) => split(read(context)).ip)],
    [`${prefix}PORT`, plain((context) => split(read(context)).port)],
  ];
}

function split(text: string | undefined): { readonly ip: string | undefined; readonly port: number | undefined } {
  const colon = text?.lastIndexOf(':') ?? -1;
  if (text === undefined || colon < 0) return { ip: text, port: undefined };
  return { ip: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}
