/** What a request is given by its connection, and what it needs of the waypoint. */
import type { Clock } from '../base/clock.ts';
import type { Workload } from '../model/workload.ts';
import type { CompiledPort } from '../routing/compile-routes.ts';
import type { TraceIds } from '../telemetry/trace-ids.ts';
import type { RecordDeps } from './access-record.ts';
import type { ConnectTarget } from './connect-target.ts';
import type { FormattedConnection } from './exchange-format.ts';
import type { FairShares } from './fair-shares.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';
import type { OpenDecisions } from './open-decisions.ts';
import type { AdmissionContext, AdmissionDeps } from './request-admission.ts';
import type { ReplayBudget } from './request-body.ts';
import type { RequestClient } from './request-fields.ts';
import type { ClientLabels } from './request-telemetry.ts';
import type { RouteTargetDeps } from './route-target.ts';
import type { TelemetryPlan } from './telemetry-settings.ts';

/** What requests of one connection have in common. */
export interface HttpConnectionContext extends AdmissionContext, FormattedConnection {
  readonly target: ConnectTarget;
  readonly self: Workload;
  readonly client: ClientLabels;
  /** Whose places its requests take. */
  readonly clientKey: string;
  /** Who the client is, for endpoints. */
  readonly requestClient: RequestClient;
  readonly forwarded: string;
  readonly spoken: UpstreamVersion;
  readonly subject: AdmissionContext['subject'];
  /** What endpoints are spoken to that declare nothing, where that is not what the client speaks. */
  readonly preferred?: UpstreamVersion;
  /** As the waypoint introduces itself. */
  readonly nodeId: string;
  /** What is told of requests now. */
  telemetry(): TelemetryPlan;
  /** The routes in force now. */
  routes(): CompiledPort | undefined;
}

export interface HttpExchangeDeps extends RouteTargetDeps, AdmissionDeps, RecordDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly http: HttpUpstreams;
  readonly traceIds: TraceIds;
  readonly replayBudget: ReplayBudget;
  readonly openDecisions: OpenDecisions;
  /** Places for requests. */
  readonly requestShares: FairShares;
}
