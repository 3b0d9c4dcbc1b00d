/**
 * A connection of a mesh client: found out what it speaks, then served as HTTP or carried as bytes.
 *
 * Invariants:
 * - Policy is asked before any byte goes on: for HTTP of every request, for other bytes of the connection.
 * - 200 goes out before the client's first byte is known: until then nothing is promised but to read.
 */
import type { TokenRules } from '../authn/jwt-rule.ts';
import type { TokenAuthenticator } from '../authn/token-authenticator.ts';
import { countCustom, matchCustom } from '../authz/custom-policies.ts';
import { countDecision, type RequestPolicies } from '../authz/request-policies.ts';
import type { RequestSubject } from '../authz/request-subject.ts';
import { shadowFields, shadowOutcome } from '../authz/shadow-policies.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { AmbitError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type ProxyError, policyDenied, proxyError } from '../hbone/proxy-error.ts';
import { unanswerable } from '../hbone/refuse-stream.ts';
import { streamTransport } from '../http1/stream-transport.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import type { Http2Stream, StreamCloseReason, StreamHandler } from '../http2/stream.ts';
import type { MeshState } from '../mesh/mesh-state.ts';
import type { DefaultDenials } from '../model/policy-tally.ts';
import type { AppProtocol } from '../model/service.ts';
import { parseSpiffeId, spiffeId } from '../model/spiffe.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';
import type { CompiledPort } from '../routing/compile-routes.ts';
import type { TraceIds } from '../telemetry/trace-ids.ts';
import type { Clusters } from './clusters.ts';
import type { WaypointConfig } from './config.ts';
import { type ConnectTarget, findConnectTarget } from './connect-target.ts';
import { checkConnection } from './external-authorization/check-connection.ts';
import type { ExternalAuthorization } from './external-authorization/external-authorization.ts';
import type { FairShares } from './fair-shares.ts';
import { forwardBytes, refuseConnection } from './forward-connection.ts';
import type { HttpConnectionContext } from './http-context.ts';
import type { HttpUpstreams, UpstreamVersion } from './http-upstreams.ts';
import { logViolation } from './log-violation.ts';
import { nodeId } from './node-id.ts';
import type { OpenDecisions } from './open-decisions.ts';
import type { WaypointPolicies } from './policies.ts';
import { connectionTargets } from './policy-targets.ts';
import type { ReplayBudget } from './request-body.ts';
import type { RequestTelemetry } from './request-telemetry.ts';
import type { Routes } from './routes.ts';
import { type Drainable, serveHttp1, serveHttp2 } from './serve-http.ts';
import { type SniffedProtocol, sniffProtocol } from './sniff-protocol.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';
import type { DownstreamConnection } from './tunnels.ts';
import type { Upstreams } from './upstreams.ts';

export interface ServeDeps {
  readonly config: WaypointConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly blocks: BlockPool;
  readonly state: MeshState;
  readonly policies: WaypointPolicies;
  readonly defaultDenials: DefaultDenials;
  readonly tokens: TokenAuthenticator;
  readonly routes: Routes;
  readonly clusters: Clusters;
  readonly replayBudget: ReplayBudget;
  /** Places for requests. */
  readonly requestShares: FairShares;
  readonly upstreams: Upstreams;
  readonly http: HttpUpstreams;
  readonly external: ExternalAuthorization;
  readonly traceIds: TraceIds;
  readonly settings: TelemetrySettings;
  readonly accessLog: Logger;
  readonly tapLog: Logger;
  readonly openDecisions: OpenDecisions;
  readonly telemetry: RequestTelemetry;
  /** Connections that are served as HTTP, to tell them when the waypoint goes. */
  readonly served: Set<Drainable>;
  /** The waypoint's own workload, once the feed named it. */
  self(): Workload | undefined;
}

/** Without a byte for so long the server speaks first: then it is no HTTP. */
const SNIFF_TIMEOUT_MS = 200;
/** A client that began may take so long until its first line tells what it speaks. */
const FIRST_LINE_TIMEOUT_MS = 10_000;

/** Takes a connection and brings it to its end. */
export function serveConnection(connection: DownstreamConnection, deps: ServeDeps): void {
  if (connection.isOverShare) {
    const error = proxyError('TOO_MANY_CONNECTIONS', 'the client holds as many connections as are left for all');
    return refuseConnection(connection, undefined, error, deps);
  }
  const self = deps.self();
  if (self === undefined || !deps.policies.known || !deps.routes.known) {
    const error = proxyError('UNKNOWN_LOCAL_WORKLOAD', 'the control plane has not told this waypoint everything yet');
    return refuseConnection(connection, undefined, error, deps);
  }
  const target = findConnectTarget(deps.state, self, connection.authority);
  if (!target.ok) return refuseConnection(connection, undefined, target.error, deps);
  new ServedConnection(connection, target.value, self, deps).start();
}

class ServedConnection implements StreamHandler {
  readonly #connection: DownstreamConnection;
  readonly #target: ConnectTarget;
  readonly #self: Workload;
  readonly #deps: ServeDeps;
  readonly #early: Buffer[] = [];
  /** Of the client's identity; undefined without one of this trust domain. */
  readonly #clientNamespace: string | undefined;
  #ended = false;
  #decided = false;
  #timer: Timer | undefined;
  #targets: readonly string[] | undefined;
  /** Ends the question that is asked about the connection. */
  #endCheck: (() => void) | undefined;

  constructor(connection: DownstreamConnection, target: ConnectTarget, self: Workload, deps: ServeDeps) {
    this.#connection = connection;
    this.#target = target;
    this.#self = self;
    this.#deps = deps;
    const identity = parseSpiffeId(connection.peerIdentity);
    this.#clientNamespace = identity?.trustDomain === self.trustDomain ? identity.namespace : undefined;
  }

  start(): void {
    const { stream, release } = this.#connection;
    if (!stream.respond([[':status', '200']])) return this.#refuse(unanswerable());
    stream.setHandler(this);
    if (this.#declared === 'tcp' || this.#declared === 'tls') this.#decide('tcp');
    release();
    if (!this.#decided) this.#timer = this.#deps.clock.after(SNIFF_TIMEOUT_MS, () => this.#silent());
  }

  /** HTTP is never mistaken for bytes because it comes slowly. */
  #silent(): void {
    const waitMs = FIRST_LINE_TIMEOUT_MS - SNIFF_TIMEOUT_MS;
    if (this.#early.length === 0 && this.#declared === undefined) this.#decide('tcp');
    else this.#timer = this.#deps.clock.after(waitMs, () => this.#decide('tcp'));
  }

  /** What the service says that its clients speak. */
  get #declared(): AppProtocol | undefined {
    return this.#target.kind === 'service' ? this.#target.service.appProtocols?.get(this.#target.port) : undefined;
  }

  onHeaders(): void {
    // A tunnel has no trailers; the connection rejects them.
  }

  onData(_stream: Http2Stream, chunk: Buffer): void {
    this.#early.push(chunk);
    if (this.#decided) return;
    const protocol = sniffProtocol(this.#early.length === 1 ? chunk : Buffer.concat(this.#early));
    if (protocol !== undefined) this.#decide(protocol);
  }

  onEnd(): void {
    this.#ended = true;
    this.#decide('tcp');
  }

  onWritable(): void {
    // Nothing is written before the protocol is known.
  }

  onClosed(stream: Http2Stream, _reason: StreamCloseReason): void {
    this.#decided = true;
    this.#timer?.cancel();
    stream.releaseCredit();
    if (this.#endCheck === undefined) return;
    this.#endCheck();
    this.#refuse(proxyError('CLIENT_DISCONNECTED', 'the client went away before it was known whether it may connect'));
  }

  #decide(protocol: SniffedProtocol): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#timer?.cancel();
    const declared = this.#declared;
    if (protocol === 'http2') this.#serveHttp('http2');
    // Where HTTP is declared, something else is told that it is none.
    else if (protocol === 'http1' || declared === 'http1' || declared === 'http2') this.#serveHttp('http1');
    else this.#serveBytes();
  }

  #serveBytes(): void {
    const subject = { ...this.#subject(), http: undefined };
    const custom = matchCustom(this.#policies(), subject);
    if (custom === undefined) return this.#authorizeBytes(subject);
    const { clientAddress, forwarded } = this.#connection;
    const asked = { self: this.#self, clientAddress, forwarded, subject };
    const isDeclared = this.#declared === 'tcp' || this.#declared === 'tls';
    let decided = false;
    const end = checkConnection(custom, asked, isDeclared, this.#deps.external, (refusal) => {
      decided = true;
      this.#endCheck = undefined;
      countCustom(custom, refusal !== undefined);
      if (refusal !== undefined) return this.#refuse(policyDenied(refusal));
      this.#authorizeBytes(subject);
    });
    if (!decided) this.#endCheck = end;
  }

  #authorizeBytes(subject: RequestSubject): void {
    const policies = this.#policies();
    const { defaultDenials } = this.#deps;
    const shadow = shadowOutcome(policies, subject, defaultDenials);
    if (shadow !== undefined)
      this.#deps.accessLog.info('policy matched', {
        'src.addr': this.#connection.clientAddress,
        ...shadowFields(shadow),
      });
    const decision = policies.authorize(subject);
    countDecision(decision, defaultDenials);
    if (!decision.allowed) return this.#refuse(policyDenied(decision.rule));
    const connection = { ...this.#connection, release: () => this.#replay() };
    const isAllowed = () => this.#policies().authorize(subject).allowed;
    forwardBytes(connection, this.#target, this.#routes()?.tcp, this.#self, isAllowed, this.#deps);
  }

  #refuse(error: ProxyError): void {
    refuseConnection({ ...this.#connection, release: () => this.#replay() }, this.#target, error, this.#deps);
  }

  /** Hands what was read to whoever took over the stream. */
  #replay(): void {
    const { stream } = this.#connection;
    const { handler } = stream;
    for (const chunk of this.#early.splice(0)) handler.onData(stream, chunk);
    if (this.#ended) handler.onEnd(stream);
  }

  #serveHttp(spoken: UpstreamVersion): void {
    const serve = spoken === 'http1' ? serveHttp1 : serveHttp2;
    const transport = streamTransport(this.#connection.stream, this.#early, this.#ended);
    const served: Drainable = serve(transport, this.#context(spoken), this.#deps, (error) =>
      this.#closed(served, error),
    );
    this.#deps.served.add(served);
  }

  #closed(served: Drainable, error: AmbitError | undefined): void {
    this.#deps.served.delete(served);
    if (error === undefined) return;
    const { clientIp, peerIdentity } = this.#connection;
    const { peer } = this.#deps.telemetry.client(clientIp, peerIdentity);
    logViolation(error, this.#connection, peer, this.#target, this.#deps.accessLog);
  }

  #context(spoken: UpstreamVersion): HttpConnectionContext {
    const { clientAddress, clientKey, forwarded, authority } = this.#connection;
    return {
      calledAddress: authority.text,
      proxyName: this.#deps.config.podName,
      nodeId: nodeId(this.#deps.config),
      telemetry: () => this.#deps.settings.of(this.#policyTargets),
      target: this.#target,
      self: this.#self,
      clientAddress,
      clientKey,
      requestClient: { ip: this.#connection.clientIp, certificate: this.#clientCertificate() },
      client: this.#deps.telemetry.client(this.#connection.clientIp, this.#connection.peerIdentity),
      forwarded,
      spoken,
      subject: this.#subject(),
      tokenRules: () => this.#tokenRules(),
      policies: () => this.#policies(),
      routes: () => this.#routes(),
    };
  }

  /** In the form of `x-forwarded-client-cert` (facts l7-and-control 5.4). */
  #clientCertificate(): string | undefined {
    const identity = parseSpiffeId(this.#connection.peerIdentity);
    if (!this.#deps.config.includeClientIdentity || identity === undefined) return undefined;
    return `By=${workloadIdentity(this.#self)};URI=${spiffeId(identity)}`;
  }

  #routes(): CompiledPort | undefined {
    const target = this.#target;
    if (target.kind !== 'service') return undefined;
    return this.#deps.routes.of(target.service, target.port, this.#clientNamespace);
  }

  #subject(): Omit<RequestSubject, 'http'> {
    const { authority, peerIdentity, clientIp } = this.#connection;
    return {
      identity: parseSpiffeId(peerIdentity),
      sourceIp: clientIp,
      remoteIp: clientIp,
      destinationIp: authority.kind === 'address' ? authority.ip : undefined,
      destinationPort: authority.port,
      sni: undefined,
    };
  }

  #policies(): RequestPolicies {
    return this.#deps.policies.of(this.#policyTargets);
  }

  #tokenRules(): TokenRules | undefined {
    const { policies } = this.#deps;
    return policies.hasTokenRules ? policies.tokenRulesOf(this.#policyTargets) : undefined;
  }

  /** They do not change with the policies. */
  get #policyTargets(): readonly string[] {
    this.#targets ??= this.#findTargets();
    return this.#targets;
  }

  #findTargets(): readonly string[] {
    const { podNamespace, gatewayName } = this.#deps.config;
    const gateway = { namespace: podNamespace, name: gatewayName };
    return connectionTargets(gateway, this.#target);
  }
}
