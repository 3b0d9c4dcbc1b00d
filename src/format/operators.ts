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
  ['BYTES_RECEIVED', plain((context) => context.bytesReceived)],
  ['BYTES_SENT', plain((context) => context.bytesSent)],
  // What ends a connection of clients is no matter of single requests.
  ['CONNECTION_TERMINATION_DETAILS', plain(() => undefined)],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', plain((context) => context.transportFailure)],
  // Requests share connections, and tunnels: which one says nothing.
  ...address('UPSTREAM_LOCAL_', () => undefined),
  ['TRACE_ID', plain((context) => context.traceId)],
  ['GRPC_STATUS', grpcStatus],
  ['GRPC_STATUS_NUMBER', plain((context) => numberOf(context.grpcStatus))],
  ['REQUEST_DURATION', plain((context) => rounded(context.requestMs))],
  ['RESPONSE_DURATION', plain((context) => rounded(context.responseMs))],
  ['RESPONSE_TX_DURATION', plain(({ durationMs, responseMs }) => rounded(responseMs && durationMs - responseMs))],
  ['REQ_WITHOUT_QUERY', header((context, name) => context.requestHeader(name)?.split('?')[0])],
  ['STREAM_ID', plain((context) => context.requestId)],
  ['HOSTNAME', plain((context) => context.hostname)],
]);

/** Undefined for one that is not known, or not with such an argument. */
export function findOperator(name: string, argument: string | undefined): Operator | undefined {
  return OPERATORS.get(name)?.(argument);
}

const GRPC_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** As a word, or as a number. */
function grpcStatus(argument: string | undefined): Operator | undefined {
  const name = ({ grpcStatus: text }: FormatContext) => (text === '' ? undefined : GRPC_NAMES[Number(text)]);
  if (argument === undefined || argument === '' || argument === 'CAMEL_STRING') return name;
  if (argument === 'NUMBER') return (context) => numberOf(context.grpcStatus);
  if (argument !== 'SNAKE_STRING') return undefined;
  return (context) =>
    name(context)
      ?.replace(/([a-z])([A-Z])/g, '$1_$2')
      .toUpperCase();
}

function numberOf(text: string): number | undefined {
  return text === '' ? undefined : Number(text);
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
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
