/**
 * The waypoint's engine without tunnels: the HTTP codec, routes, policies, clusters and pools are the waypoint's own. What
 * is in front of it and behind it is the caller's.
 */
import type { TokenRules } from '../../src/authn/jwt-rule.ts';
import { TokenAuthenticator } from '../../src/authn/token-authenticator.ts';
import { NO_REQUEST_POLICIES, type RequestPolicies } from '../../src/authz/request-policies.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Dialer } from '../../src/hbone/dialer.ts';
import { TlsStore } from '../../src/hbone/tls-store.ts';
import type { PausableTransport } from '../../src/http1/transport.ts';
import { BlockPool } from '../../src/http2/block-pool.ts';
import { MeshState } from '../../src/mesh/mesh-state.ts';
import type { IpAddress } from '../../src/model/address.ts';
import { createDefaultDenials } from '../../src/model/policy-tally.ts';
import { createService } from '../../src/model/service.ts';
import { spiffeId } from '../../src/model/spiffe.ts';
import { createWorkload } from '../../src/model/workload.ts';
import type { CompiledPort } from '../../src/routing/compile-routes.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { TcpMetrics } from '../../src/telemetry/tcp-metrics.ts';
import { TraceIds } from '../../src/telemetry/trace-ids.ts';
import { Clusters } from '../../src/waypoint/clusters.ts';
import { readWaypointConfig } from '../../src/waypoint/config.ts';
import { ExternalAuthorization } from '../../src/waypoint/external-authorization/external-authorization.ts';
import { AuthorizationProviders } from '../../src/waypoint/external-authorization/providers.ts';
import { FairShares } from '../../src/waypoint/fair-shares.ts';
import { FileTexts } from '../../src/waypoint/file-texts.ts';
import type { HttpConnectionContext } from '../../src/waypoint/http-context.ts';
import { HttpUpstreams, type UpstreamVersion } from '../../src/waypoint/http-upstreams.ts';
import { OpenDecisions } from '../../src/waypoint/open-decisions.ts';
import { BatchExporter } from '../../src/waypoint/reporting/batch-exporter.ts';
import type { FinishedSpan } from '../../src/waypoint/reporting/finished-span.ts';
import { encodeZipkin } from '../../src/waypoint/reporting/zipkin-encoding.ts';
import { REPLAY_BUDGET_BYTES, ReplayBudget } from '../../src/waypoint/request-body.ts';
import { RequestTelemetry } from '../../src/waypoint/request-telemetry.ts';
import { serveHttp1, serveHttp2 } from '../../src/waypoint/serve-http.ts';
import { NO_TELEMETRY, type TelemetryPlan } from '../../src/waypoint/telemetry-settings.ts';
import { TlsCredentials } from '../../src/waypoint/tls-credentials.ts';
import { Upstreams } from '../../src/waypoint/upstreams.ts';

const LOOPBACK = '127.0.0.1' as IpAddress;
const clock = systemClock;

export interface PlainEngineOptions {
  /** Of the only endpoint, on loopback. */
  readonly endpointPort: number;
  /** Of requests that are traced; undefined: nothing is. */
  readonly samplingShare: number | undefined;
  /** Whether requests are counted. Default true. */
  readonly counts?: boolean;
  readonly dialer: Dialer;
  /** What clients speak, and the endpoint. Default HTTP/1. */
  readonly spoken?: UpstreamVersion;
  readonly configuration?: EngineConfiguration;
}

/** What a waypoint's feed would say of the service. */
export interface EngineConfiguration {
  readonly routes?: CompiledPort;
  readonly policies?: RequestPolicies;
  readonly tokenRules?: TokenRules;
}

export interface PlainEngine {
  /** Serves one connection of a client. */
  serve(transport: PausableTransport): void;
}

export function plainEngine(options: PlainEngineOptions): PlainEngine {
  const { endpointPort, samplingShare, dialer, counts = true, spoken = 'http1', configuration = {} } = options;
  const { routes, policies = NO_REQUEST_POLICIES, tokenRules } = configuration;
  const blocks = new BlockPool();
  const state = new MeshState();
  const service = createService({
    name: 'site',
    namespace: 'bench',
    hostname: 'site.bench.svc.cluster.local',
    ports: new Map([[80, endpointPort]]),
    canonical: true,
  });
  const key = 'bench/site.bench.svc.cluster.local';
  const self = createWorkload({ uid: 'Kubernetes//Pod/bench/gate', name: 'gate', namespace: 'bench' });
  const site = createWorkload({
    uid: 'Kubernetes//Pod/bench/site',
    name: 'site',
    namespace: 'bench',
    addresses: [LOOPBACK],
    services: new Map([[key, new Map([[80, endpointPort]])]]),
  });
  state.apply([
    { kind: 'service', service },
    { kind: 'workload', workload: self },
    { kind: 'workload', workload: site },
  ]);
  const config = readWaypointConfig({
    POD_NAME: 'gate',
    POD_NAMESPACE: 'bench',
    SERVICE_ACCOUNT: 'gate',
    GATEWAY_NAME: 'gate',
  });
  const tls = new TlsStore({
    clock,
    options: { tls12: false, compliancePolicy: '', handshakeTimeoutMs: 1000 },
    fetch: () => Promise.reject(new Error('no tunnels here')),
  });
  const traceIds = new TraceIds();
  const upstreams = new Upstreams(config, {
    traceIds,
    clock,
    credentials: new TlsCredentials('bench', new FileTexts(clock)),
    blocks,
    tls,
    hostnames: { resolve: () => Promise.resolve(undefined) },
    dialer,
  });
  const clusters = new Clusters({ state, clock, random: Math.random, namespace: 'bench' });
  for (const handler of clusters.handlers()) handler.apply([], []);
  const http = new HttpUpstreams({ clock, blocks, upstreams });
  const providers = new AuthorizationProviders();
  const telemetry = new RequestTelemetry({
    clock,
    state,
    network: '',
    requests: new RequestMetrics(),
    connections: new TcpMetrics(),
  });
  const deps = {
    clock,
    blocks,
    defaultDenials: createDefaultDenials(),
    random: Math.random,
    accessLog: silentLogger,
    tapLog: silentLogger,
    openDecisions: new OpenDecisions(),
    telemetry: counts ? telemetry : { count: () => undefined },
    state,
    clusters,
    tokens: new TokenAuthenticator({ clock, keysOf: (source) => (source.kind === 'inline' ? source.keys : undefined) }),
    http,
    external: new ExternalAuthorization({ clock, state, clusters, http, providers, logger: silentLogger }),
    replayBudget: new ReplayBudget(REPLAY_BUDGET_BYTES),
    requestShares: new FairShares(0),
    traceIds,
  };
  const plan: TelemetryPlan =
    samplingShare === undefined ? NO_TELEMETRY : { ...NO_TELEMETRY, tracing: tracingOf(samplingShare) };
  const context: HttpConnectionContext = {
    target: { kind: 'service', service, port: 80 },
    self,
    client: telemetry.client(
      LOOPBACK,
      spiffeId({ trustDomain: 'cluster.local', namespace: 'bench', serviceAccount: 'client' }),
    ),
    calledAddress: '10.0.0.1:80',
    proxyName: 'waypoint',
    clientAddress: '127.0.0.1:1',
    clientKey: 'client',
    forwarded: '',
    spoken,
    requestClient: { ip: LOOPBACK, certificate: undefined },
    subject: {
      identity: undefined,
      sourceIp: LOOPBACK,
      remoteIp: LOOPBACK,
      destinationIp: LOOPBACK,
      destinationPort: 80,
      sni: undefined,
    },
    policies: () => policies,
    tokenRules: () => tokenRules,
    nodeId: 'waypoint',
    telemetry: () => plan,
    routes: () => routes,
  };

  const serve = spoken === 'http2' ? serveHttp2 : serveHttp1;
  return { serve: (transport) => void serve(transport, context, deps, () => undefined) };
}

/** Spans are encoded as for Zipkin, and go nowhere. */
function tracingOf(samplingShare: number): TelemetryPlan['tracing'] {
  const exporter = new BatchExporter<FinishedSpan>(
    {
      provider: 'none',
      counts: { sent: 0, dropped: 0 },
      send: async (spans) => {
        encodeZipkin(spans, { serviceName: 'gate.bench', ip: LOOPBACK });
        return { kind: 'sent' };
      },
    },
    { clock, random: Math.random, logger: silentLogger },
  );
  return {
    formats: { w3c: true, b3: false },
    shortTraceIds: false,
    samplingShare,
    useRequestId: true,
    propagates: true,
    istioTags: true,
    maxTagLength: 256,
    customTags: [],
    report: (span) => exporter.add(span),
  };
}
