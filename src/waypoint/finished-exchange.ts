/** A request that is over, as access logs and spans tell of it (facts l7-and-control 8.3, 8.4). */
import { hideParams } from '../authn/query-params.ts';
import type { Clock } from '../base/clock.ts';
import type { Workload } from '../model/workload.ts';
import type { CompiledRoute } from '../routing/compile-routes.ts';
import type { AccessRecord } from './access-record.ts';
import type { ConnectTarget } from './connect-target.ts';
import { ExchangeFormat, type FormattedConnection, type FormattedMessages } from './exchange-format.ts';
import type { ClientLabels } from './request-telemetry.ts';
import type { SpanEnd, TracingPlan } from './request-tracer.ts';
import { isFailed, spanTags } from './span-tags.ts';

export interface FinishedConnection extends FormattedConnection {
  readonly target: ConnectTarget;
  readonly self: Workload;
  readonly client: ClientLabels;
  /** As the waypoint introduces itself. */
  readonly nodeId: string;
}

/** Headers in which a token may stand, as a parameter of a target. */
const TARGETS: ReadonlySet<string> = new Set([':path', 'x-envoy-original-path', 'referer']);

export class FinishedExchange extends ExchangeFormat {
  readonly #record: AccessRecord;

  constructor(connection: FormattedConnection, messages: FormattedMessages, record: AccessRecord, clock: Clock) {
    super(connection, messages, record, clock);
    this.#record = record;
  }

  override get responseCode(): number | undefined {
    return this.#record.status;
  }

  override get responseCodeDetails(): string | undefined {
    return this.#record.details;
  }

  /** Without what must not be read in a log. */
  override requestHeader(name: string): string | undefined {
    const value = super.requestHeader(name) ?? (name === 'x-request-id' ? this.requestId : undefined);
    return value !== undefined && TARGETS.has(name) ? hideParams(value, this.#record.hiddenParams) : value;
  }
}

/** @param route undefined where none was asked, or none matched */
export function describeSpan(
  { istioTags, maxTagLength }: TracingPlan,
  connection: FinishedConnection,
  { request }: FormattedMessages,
  context: FinishedExchange,
  record: AccessRecord,
  route: CompiledRoute | undefined,
): SpanEnd {
  const { method, scheme, authority, isGrpc } = request;
  const { self, nodeId, client } = connection;
  const { grpcStatus, receivedBytes, sentBytes, endpoint } = record;
  const sizes = { grpcStatus, receivedBytes, sentBytes };
  const ends = { self, nodeId, source: client.peer, destination: endpoint?.workload };
  const tagged = { method, scheme, authority, isGrpc, ...sizes, ...ends };
  return {
    name: spanName(connection.target, route),
    context,
    clientAddress: connection.clientAddress,
    failed: isFailed(context),
    tags: spanTags(context, tagged, istioTags, maxTagLength),
  };
}

/** `<host>:<port>/<path>`: the service that requests of the route go to; of several, the name of the route. */
function spanName(target: ConnectTarget, route: CompiledRoute | undefined): string {
  const called = target.kind === 'service' ? target.service.hostname : target.workload.name;
  const backends = route?.action.kind === 'forward' ? route.action.plan.backends : [];
  const only = backends.length === 1 ? backends[0]?.backend : undefined;
  const host = backends.length > 1 ? (route?.name ?? called) : (only?.hostname ?? called);
  return `${host}:${only?.port || target.port}${route?.pathPattern ?? '/*'}`;
}
