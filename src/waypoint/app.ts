/** A waypoint process: feed, own certificate, tunnels in, connections to the endpoints behind it, readiness. */

import { LRUCache } from 'lru-cache';
import { RemoteKeySets } from '../authn/remote-key-sets.ts';
import { TokenAuthenticator } from '../authn/token-authenticator.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { Readiness } from '../base/readiness.ts';
import { certificateStatus } from '../hbone/certificate-dump.ts';
import { CertificateManager } from '../hbone/certificate-manager.ts';
import { TlsStore } from '../hbone/tls-store.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../hbone/tunnel-settings.ts';
import { BlockPool } from '../http2/block-pool.ts';
import { feedHandlers } from '../mesh/feed.ts';
import { MeshState } from '../mesh/mesh-state.ts';
import { canonicalIp, isLocalOnly, parseIpAddress } from '../model/address.ts';
import { createDefaultDenials } from '../model/policy-tally.ts';
import { spiffeId } from '../model/spiffe.ts';
import { GATEWAY_NAME_LABEL } from '../model/waypoint-objects.ts';
import type { Workload } from '../model/workload.ts';
import {
  createHostnameResolver,
  HOSTNAME_CACHE_ENTRIES,
  type LookupAddresses,
  systemLookup,
} from '../net/hostname-resolver.ts';
import { serveHttp } from '../net/http-endpoint.ts';
import { listenTcp } from '../net/tcp-listener.ts';
import { adminRoutes } from '../telemetry/admin-routes.ts';
import type { ScrapedFamily } from '../telemetry/exposition.ts';
import type { LogFilter } from '../telemetry/log-filter.ts';
import { metricsRoutes } from '../telemetry/metrics-routes.ts';
import { policyFamily } from '../telemetry/policy-metrics.ts';
import type { ProbeQuestion } from '../telemetry/probe-routes.ts';
import { processFamilies } from '../telemetry/process-metrics.ts';
import { singleThreadProfilers } from '../telemetry/profile-routes.ts';
import { RequestMetrics } from '../telemetry/request-metrics.ts';
import { Tap } from '../telemetry/tap.ts';
import { tappedLogger } from '../telemetry/tapped-logger.ts';
import { TcpMetrics } from '../telemetry/tcp-metrics.ts';
import { TraceIds } from '../telemetry/trace-ids.ts';
import { XdsMetrics } from '../telemetry/xds-metrics.ts';
import { CaClient, type CertificateSource } from '../xds/client/ca-client.ts';
import { DeltaClient } from '../xds/client/delta-client.ts';
import type { ControlPlaneEndpoint } from '../xds/client/grpc-channel.ts';
import { Clusters } from './clusters.ts';
import type { WaypointConfig } from './config.ts';
import { configDump } from './config-dump.ts';
import { connectService } from './connect-service.ts';
import { ExternalAuthorization } from './external-authorization/external-authorization.ts';
import { AuthorizationProviders } from './external-authorization/providers.ts';
import { FairShares, shareFamilies } from './fair-shares.ts';
import { fetchDocument } from './fetch-document.ts';
import { FileTexts } from './file-texts.ts';
import { HttpUpstreams } from './http-upstreams.ts';
import { nodeId } from './node-id.ts';
import { OpenDecisions } from './open-decisions.ts';
import { outwardDialer } from './outward-dialer.ts';
import { WaypointPolicies } from './policies.ts';
import { createReporting, type Reporting } from './reporting/create-reporting.ts';
import { REPLAY_BUDGET_BYTES, ReplayBudget } from './request-body.ts';
import { RequestTelemetry } from './request-telemetry.ts';
import { Routes } from './routes.ts';
import { serveConnection } from './serve-connection.ts';
import type { Drainable } from './serve-http.ts';
import { TlsCredentials } from './tls-credentials.ts';
import { Tunnels } from './tunnels.ts';
import { Upstreams } from './upstreams.ts';

export interface WaypointDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly logFilter: LogFilter;
  readonly version: string;
  /** Called when the waypoint was asked to end, and has. */
  onExit(): void;
  /** In place of the control plane's certificate service. */
  readonly certificateSource?: CertificateSource;
  /** In place of DNS. */
  readonly lookup?: LookupAddresses;
}

export interface WaypointHandle {
  readonly tunnelPort: number;
  readonly readinessPort: number;
  readonly metricsPort: number;
  readonly ready: () => boolean;
  /** Graceful: no new connections, then the deadline, then the end. */
  drain(): Promise<void>;
  /** Ends at once. */
  stop(): Promise<void>;
}

const DRAIN_POLL_MS = 50;
/** There is one also where IPv6 is off. */
const LOOPBACK = '127.0.0.1';

/** Starts everything; throws an AmbitError when a start-up step fails, with nothing left behind. */
export async function startWaypoint(config: WaypointConfig, deps: WaypointDeps): Promise<WaypointHandle> {
  const waypoint = new Waypoint(config, deps);
  try {
    return await waypoint.start();
  } catch (error) {
    await waypoint.stop();
    throw error;
  }
}

class Waypoint {
  readonly #config: WaypointConfig;
  readonly #deps: WaypointDeps;
  readonly #state = new MeshState();
  readonly #readiness = new Readiness();
  readonly #requests = new RequestMetrics();
  readonly #connections = new TcpMetrics();
  readonly #traceIds = new TraceIds();
  readonly #xds = new XdsMetrics();
  readonly #blocks = new BlockPool();
  readonly #tap: Tap;
  readonly #certificates: CertificateManager;
  readonly #tls: TlsStore;
  readonly #keySets: RemoteKeySets;
  readonly #openDecisions = new OpenDecisions();
  readonly #policies = new WaypointPolicies(
    (rules) => this.#keySets.retain(rules),
    () => this.#openDecisions.policiesChanged(),
  );
  readonly #defaultDenials = createDefaultDenials();
  readonly #shares: Readonly<Record<'connections' | 'requests', FairShares>>;
  readonly #routes = new Routes();
  readonly #providers = new AuthorizationProviders();
  readonly #clusters: Clusters;
  readonly #credentials: TlsCredentials;
  readonly #upstreams: Upstreams;
  readonly #http: HttpUpstreams;
  readonly #served = new Set<Drainable>();
  readonly #reporting: Reporting;
  readonly #tunnels: Tunnels;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #draining: Promise<void> | undefined;

  constructor(config: WaypointConfig, deps: WaypointDeps) {
    this.#config = config;
    this.#deps = deps;
    const { clock, random, logger } = deps;
    this.#shares = sharesOf(config);
    this.#tap = new Tap(clock);
    const identity = spiffeId({
      trustDomain: config.trustDomain,
      namespace: config.podNamespace,
      serviceAccount: config.serviceAccount,
    });
    this.#certificates = new CertificateManager({
      source: deps.certificateSource ?? certificateSource(config),
      clock,
      random,
      logger: logger.scope('identity'),
      onCertificate: (certificate) => void this.#tls.update(certificate),
      onDropped: (dropped) => this.#tls.forget(dropped),
    });
    this.#tls = new TlsStore({
      clock,
      options: { tls12: false, compliancePolicy: '', handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS },
      fetch: (wanted) => this.#certificates.fetch(wanted),
    });
    this.#clusters = new Clusters({ state: this.#state, clock, random, namespace: config.podNamespace });
    this.#credentials = new TlsCredentials(config.podNamespace, new FileTexts(clock));
    const shared = { clock, traceIds: this.#traceIds, blocks: this.#blocks, tls: this.#tls };
    this.#upstreams = new Upstreams(config, {
      ...shared,
      credentials: this.#credentials,
      dialer: outwardDialer({ clock, log: logger }),
      hostnames: hostnameResolver(deps),
    });
    this.#http = new HttpUpstreams({ clock, blocks: this.#blocks, upstreams: this.#upstreams });
    const self = () => this.#self;
    const reach = { state: this.#state, clusters: this.#clusters, upstreams: this.#upstreams, self };
    this.#keySets = remoteKeySets(deps, reach);
    const reporting = { clock, random, logger: logger.scope('telemetry'), http: this.#http, ...reach };
    this.#reporting = createReporting(config, reporting);
    const serving = {
      config,
      clock,
      random,
      blocks: this.#blocks,
      state: this.#state,
      policies: this.#policies,
      defaultDenials: this.#defaultDenials,
      routes: this.#routes,
      clusters: this.#clusters,
      tokens: new TokenAuthenticator({ clock, keysOf: (source) => this.#keySets.of(source) }),
      external: new ExternalAuthorization({
        clock,
        state: this.#state,
        clusters: this.#clusters,
        http: this.#http,
        providers: this.#providers,
        logger: logger.scope('authorization'),
      }),
      replayBudget: new ReplayBudget(REPLAY_BUDGET_BYTES),
      requestShares: this.#shares.requests,
      upstreams: this.#upstreams,
      http: this.#http,
      served: this.#served,
      traceIds: this.#traceIds,
      settings: this.#reporting.settings,
      accessLog: tappedLogger(logger.scope('access'), this.#tap, clock),
      tapLog: tappedLogger(silentLogger, this.#tap, clock),
      openDecisions: this.#openDecisions,
      telemetry: new RequestTelemetry({
        clock,
        state: this.#state,
        network: config.network,
        requests: this.#requests,
        connections: this.#connections,
      }),
      self,
    };
    this.#tunnels = new Tunnels(config, {
      clock,
      blocks: this.#blocks,
      logger: logger.scope('tunnels'),
      shares: this.#shares.connections,
      tls: async () => {
        const tls = await this.#tls.get(identity);
        return tls.ok ? tls.value : undefined;
      },
      onConnection: (connection) => serveConnection(connection, serving),
    });
    this.#certificates.prefetch(identity);
  }

  async start(): Promise<WaypointHandle> {
    const config = this.#config;
    const hosts = config.ipv6Enabled ? ['::'] : ['0.0.0.0'];
    const readiness = await serveHttp(hosts, config.readinessPort, {
      'GET /healthz/ready': () => ({ status: this.#readiness.isReady ? 200 : 500, body: this.#readiness.text() }),
    });
    this.#closers.push(() => readiness.close());
    const metrics = await this.#serveMetrics(hosts);
    await this.#serveAdmin();
    this.#subscribe();
    const listener = await listenTcp(
      { endpoint: { address: hosts[0] ?? '0.0.0.0', port: config.tunnelPort }, noDelay: true },
      {
        onConnection: (connection) => this.#tunnels.accept(connection),
        onError: (error) => this.#deps.logger.warn('accept failed', { error: errorText(error) }),
      },
    );
    this.#closers.push(() => listener.close());
    return {
      tunnelPort: listener.endpoint.port,
      readinessPort: readiness.port,
      metricsPort: metrics,
      ready: () => this.#readiness.isReady,
      drain: () => this.drain(),
      stop: () => this.stop(),
    };
  }

  async #serveMetrics(hosts: readonly string[]): Promise<number> {
    const { metricsPort, envoyMetricsPort } = this.#config;
    const routes = metricsRoutes(() => this.#families());
    const [first] = await Promise.all(
      [metricsPort, envoyMetricsPort].map(async (port) => {
        const server = await serveHttp(hosts, port, routes);
        this.#closers.push(() => server.close());
        return server.port;
      }),
    );
    return first ?? 0;
  }

  async #serveAdmin(): Promise<void> {
    const { clock, logFilter, onExit } = this.#deps;
    const routes = adminRoutes({
      title: 'ambit waypoint',
      logFilter,
      profiles: { clock, profilers: singleThreadProfilers(clock) },
      tap: { clock, tap: this.#tap, onFilters: () => undefined },
      probe: { clock, probe: (question) => this.#probe(question) },
      onLogFilter: () => undefined,
      dump: async () => this.#dump(),
      status: async () => ({
        version: this.#deps.version,
        certificates: [...this.#certificates.states()].map(([name, state]) => certificateStatus(name, state)),
        connections: this.#served.size,
      }),
      shutdown: () => void this.drain().then(onExit),
    });
    const admin = await serveHttp([LOOPBACK], this.#config.adminPort, routes);
    this.#closers.push(() => admin.close());
  }

  async #probe(question: ProbeQuestion) {
    // Only a waypoint that is asked pays for it.
    const { probeEndpoint } = await import('./probe-endpoint.ts');
    const { clock, random, logger } = this.#deps;
    return probeEndpoint(question, {
      clock,
      random,
      blocks: this.#blocks,
      state: this.#state,
      tls: this.#tls,
      dialer: outwardDialer({ clock, log: logger }),
      http2: this.#config.http2,
      self: this.#self,
    });
  }

  /** The waypoint's own workload, once the feed named it. */
  get #self(): Workload | undefined {
    const { clusterId, podNamespace, podName } = this.#config;
    return this.#state.workload(`${clusterId}//Pod/${podNamespace}/${podName}`);
  }

  #dump(): unknown {
    return configDump({
      config: this.#config,
      version: this.#deps.version,
      self: this.#self,
      state: this.#state,
      policies: this.#policies,
      routes: this.#routes,
      clusters: this.#clusters,
      certificates: this.#certificates.states(),
      connections: { tunnels: this.#tunnels.size, http: this.#served.size },
    });
  }

  #families(): readonly ScrapedFamily[] {
    this.#requests.dropIdle(this.#deps.clock.monotonicMs());
    return [
      ...this.#requests.families(),
      ...this.#connections.families(),
      policyFamily(this.#policies.counted(), this.#defaultDenials),
      ...shareFamilies(this.#shares),
      ...this.#reporting.families(),
      ...this.#xds.families(),
      ...processFamilies('proxy', this.#deps.version),
    ];
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async stop(): Promise<void> {
    this.#tunnels.stop();
    this.#keySets.stop();
    this.#reporting.stop();
    this.#http.stop();
    this.#upstreams.stop();
    this.#certificates.stop();
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  async #drain(): Promise<void> {
    const { clock } = this.#deps;
    this.#readiness.task('drain');
    this.#tunnels.drain();
    for (const connection of [...this.#served]) connection.drain();
    const deadlineMs = clock.monotonicMs() + this.#config.drainDeadlineMs;
    while (this.#tunnels.size > 0 && clock.monotonicMs() < deadlineMs) {
      await sleep(clock, DRAIN_POLL_MS);
    }
    await this.#reporting.drain();
    await this.stop();
  }

  #subscribe(): void {
    const { clock, logger } = this.#deps;
    const addresses = feedHandlers({}, (changes) => this.#state.apply(changes));
    const configuration = [this.#policies, this.#routes, this.#providers, this.#credentials].map((one) =>
      one.handler(),
    );
    const handlers = [
      ...addresses,
      ...configuration,
      ...this.#reporting.settings.handlers(),
      ...this.#clusters.handlers(),
    ];
    const tasks = new Map(handlers.map(({ typeUrl }) => [typeUrl, this.#readiness.task(`feed of ${typeUrl}`)]));
    const client = new DeltaClient(
      { endpoint: controlPlane(this.#config), node: feedNode(this.#config), handlers },
      {
        clock,
        logger: logger.scope('xds'),
        onMessage: (typeUrl, bytes) => this.#xds.message(typeUrl, bytes),
        onTerminated: (reason) => this.#xds.terminated(reason),
        onConnected: () => this.#certificates.retry(),
        onReady: (typeUrl) => tasks.get(typeUrl)?.ready(),
      },
    );
    void client.run();
    this.#closers.push(() => client.stop());
  }
}

function remoteKeySets(
  { clock, random, logger }: WaypointDeps,
  reach: Parameters<typeof connectService>[1],
): RemoteKeySets {
  const connect = (target: Parameters<typeof connectService>[0]) => connectService(target, reach);
  return new RemoteKeySets({
    clock,
    random,
    logger: logger.scope('tokens'),
    fetch: (url, timeoutMs) => fetchDocument(url, timeoutMs, { clock, connect, mayCall: isCallable }),
  });
}

/** Keys are served by somebody else than this machine and its links, where credentials of the cloud are. */
function isCallable(address: string): boolean {
  const ip = parseIpAddress(canonicalIp(address));
  return ip !== undefined && !isLocalOnly(ip);
}

function hostnameResolver({ lookup = systemLookup(), random }: WaypointDeps) {
  return createHostnameResolver({ lookup, cache: new LRUCache({ max: HOSTNAME_CACHE_ENTRIES }), random });
}

function sharesOf({ maxConnections, maxRequests }: WaypointConfig) {
  return { connections: new FairShares(maxConnections), requests: new FairShares(maxRequests) };
}

function certificateSource(config: WaypointConfig): CertificateSource {
  return new CaClient({ endpoint: controlPlane(config), ttlMs: config.secretTtlMs, impersonate: false });
}

function controlPlane(config: WaypointConfig): ControlPlaneEndpoint {
  return {
    address: config.controlAddress,
    rootCa: config.controlRootCa,
    altHostname: config.controlHostname,
    authToken: config.authToken,
    clusterId: config.clusterId,
    headers: new Map(),
  };
}

/** How a waypoint introduces itself to the control plane (facts l7-and-control 5.5). */
function feedNode(config: WaypointConfig) {
  const { instanceIp, podName, podNamespace, nodeName, gatewayName } = config;
  return {
    id: nodeId(config),
    cluster: `${gatewayName}.${podNamespace}`,
    buildVersion: '',
    metadata: {
      NAME: podName,
      NAMESPACE: podNamespace,
      NODE_NAME: nodeName,
      INSTANCE_IPS: instanceIp,
      LABELS: { [GATEWAY_NAME_LABEL]: gatewayName },
    },
  };
}
