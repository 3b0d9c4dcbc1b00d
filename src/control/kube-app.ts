/**
 * `ambit control` on Kubernetes: objects, certificate authority and tokens are the API server's. All replicas serve; one
 * leads and writes.
 */
import { type Clock, sleep } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { LeaderLease } from '../kube/leader-lease.ts';
import { ObjectStore } from '../manifests/object-store.ts';
import { CONTROL_LEASE, WEBHOOK_CONFIGURATION } from '../model/installed-names.ts';
import { type HttpEndpoint, serveHttp } from '../net/http-endpoint.ts';
import { type CertificateAuthority, openAuthorityFrom } from '../pki/certificate-authority.ts';
import { createDeltaServerStats, type DeltaServerStats } from '../xds/server/delta-server.ts';
import { StreamRegistry } from '../xds/server/stream-registry.ts';
import { renderAmbientz } from './ambientz.ts';
import { SecretCaSource } from './ca-secrets.ts';
import { type CaServiceStats, createCaServiceStats } from './ca-service.ts';
import { ConditionWriter } from './condition-writer.ts';
import { ControlMetrics } from './control-metrics.ts';
import { defaultNodeAccounts, servingNames } from './control-options.ts';
import { debugRoutes } from './debug-routes.ts';
import { feedDump } from './feed-dump.ts';
import { GatewayClassKeeper } from './gateway-class-keeper.ts';
import { KubeIntake } from './kube-intake.ts';
import { DEFAULT_REVISION, type KubeControlOptions } from './kube-options.ts';
import { KubeSecrets } from './kube-secrets.ts';
import { KubeSource } from './kube-source.ts';
import { type LeaderTask, LeaderWork } from './leader-work.ts';
import { MeshFollower } from './mesh-follower.ts';
import { DEFAULT_MESH_OPTIONS } from './mesh-options.ts';
import { ModelBuilder } from './model-builder.ts';
import { monitoringRoutes } from './monitoring-routes.ts';
import { type ListedObject, objectsDump } from './objects-dump.ts';
import { ObservedConditions } from './observed-conditions.ts';
import { RootConfigMaps } from './root-config-maps.ts';
import { DEFAULT_OVERLAP_MS, keepRoot } from './root-keeper.ts';
import { type ServingControl, serveControl } from './serve-control.ts';
import { ServingCertificate } from './serving-certificate.ts';
import { buildStatus, type ControlStatus } from './status.ts';
import { TokenReviewAuthenticator } from './token-review-authenticator.ts';
import { WaypointDeployer } from './waypoint-deployer.ts';
import { type RunningWebhook, startWebhook } from './webhook/webhook-server.ts';
import { WebhookTrust } from './webhook/webhook-trust.ts';

export interface KubeControlDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
}

const CA_RETRY_MS = 5000;
const SECRETS_WAIT_MS = 5000;

/** The control plane of one process. `stop` may be called at any time, also while it starts. */
export class KubeControl {
  readonly stats: { readonly xds: DeltaServerStats; readonly ca: CaServiceStats };
  readonly #options: KubeControlOptions;
  readonly #deps: KubeControlDeps;
  readonly #client: KubeClient;
  readonly #store = new ObjectStore();
  readonly #registry = new StreamRegistry();
  readonly #observed = new ObservedConditions();
  readonly #intake: KubeIntake;
  readonly #source: KubeSource;
  readonly #credentials: KubeSecrets;
  readonly #mesh: MeshFollower;
  readonly #secrets: SecretCaSource;
  readonly #metrics: ControlMetrics;
  readonly #lease: LeaderLease;
  readonly #leaderWork: LeaderWork;
  readonly #stopping = new AbortController();
  readonly #selectionListeners = new Set<() => void>();
  readonly #startedMs: number;
  #debug: HttpEndpoint | undefined;
  #monitoring: HttpEndpoint | undefined;
  #authority: CertificateAuthority | undefined;
  #model: ModelBuilder | undefined;
  #serving: ServingControl | undefined;
  #webhook: RunningWebhook | undefined;
  #ready = false;

  constructor(options: KubeControlOptions, deps: KubeControlDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#startedMs = deps.clock.nowMs();
    this.stats = { xds: createDeltaServerStats(), ca: createCaServiceStats() };
    this.#client = new KubeClient(options.kube, deps);
    const namespace = this.#namespace;
    const shared = { ...deps, client: this.#client, store: this.#store, logger: deps.logger.scope('kube') };
    this.#intake = new KubeIntake(
      { revision: this.#revision, alwaysSelected: [namespace, ...this.#nodeAccounts.map(namespaceOf)] },
      shared,
    );
    this.#source = new KubeSource({
      ...shared,
      intake: this.#intake,
      observe: (kind, object, gone) => this.#observed.note(kind.kind, object, gone),
    });
    this.#credentials = new KubeSecrets({ ...shared, intake: this.#intake });
    const base = { ...DEFAULT_MESH_OPTIONS, ...options.mesh };
    this.#mesh = new MeshFollower({ base, namespace, revision: this.#revision }, shared);
    const root = { organization: base.trustDomain, keyType: options.ownRootKeyType ?? 'ec' };
    this.#secrets = new SecretCaSource(
      { namespace, ownRoot: options.ownRoot !== false, root },
      { ...shared, logger: deps.logger.scope('ca') },
    );
    this.#leaderWork = new LeaderWork(() => this.#leaderTasks());
    const name = this.#revision === DEFAULT_REVISION ? CONTROL_LEASE : `${CONTROL_LEASE}-${this.#revision}`;
    this.#lease = new LeaderLease({ namespace, name, identity: options.identity }, shared, this.#leaderWork);
    this.#metrics = this.#createMetrics();
  }

  /** Resolves when it serves, or was stopped before. Rejects when an address is taken. */
  async start(): Promise<void> {
    const { clock, logger } = this.#deps;
    await this.#startHttp();
    this.#secrets.start();
    // Selectors may come before or after the objects; the first answer to a client waits for both.
    await Promise.all([
      this.#mesh.start().then(() => this.#intake.setSelectors(this.#mesh.config.discoverySelectors)),
      this.#source.start(this.#stopping.signal),
    ]);
    if (this.#stopping.signal.aborted) return;
    this.#intake.flush();
    const authority = await this.#openAuthority();
    if (authority === undefined) return;
    const model = new ModelBuilder(this.#store, this.#mesh.mesh);
    this.#model = model;
    this.#mesh.onChange(() => this.#meshChanged(model));
    model.followWantedSecrets((names) => this.#credentials.follow(names));
    // A waypoint that comes back must not hear that a Secret is missing which is only not read yet.
    await this.#credentials.settled(SECRETS_WAIT_MS);
    this.#intake.flush();
    this.#serving = await this.#serve(authority, model);
    this.#webhook = await this.#serveWebhook(authority);
    if (this.#stopping.signal.aborted) {
      await Promise.all([this.#serving.stop(0), this.#webhook.stop()]);
      return;
    }
    this.#ready = true;
    this.#lease.start();
    logger.info('control plane started', {
      grpcPort: this.#serving.port,
      resources: model.addresses.size,
      policies: model.authorizations.size,
      tookMs: Math.round(clock.nowMs() - this.#startedMs),
    });
  }

  /** Ports as bound. */
  get addresses(): Readonly<Record<'grpcPort' | 'httpPort' | 'monitoringPort' | 'webhookPort', number>> {
    return {
      webhookPort: this.#webhook?.port ?? 0,
      grpcPort: this.#serving?.port ?? 0,
      httpPort: this.#debug?.port ?? 0,
      monitoringPort: this.#monitoring?.port ?? 0,
    };
  }

  /** The roots that clients have to trust, as PEM. */
  get rootsPem(): string {
    return this.#authority?.rootsPem ?? '';
  }

  get isLeader(): boolean {
    return this.#lease.isLeader;
  }

  status(): ControlStatus {
    return buildStatus(this.#intake, this.#model?.notes ?? new Map(), this.#deps.clock.nowMs());
  }

  /**
   * Hands over to other replicas: not ready, no leader, streams ended one by one.
   * @param graceMs how long calls may take to end. Default 5000
   */
  async stop(graceMs = 5000): Promise<void> {
    const { clock } = this.#deps;
    this.#ready = false;
    this.#stopping.abort();
    await this.#lease.stop();
    if (this.#serving !== undefined && graceMs > 0) await sleep(clock, this.#options.leaveMs ?? 0);
    await this.#serving?.stop(graceMs);
    await this.#webhook?.stop();
    this.#model?.stop();
    this.#authority?.stop();
    this.#intake.stop();
    await Promise.all([
      this.#leaderWork.settled(),
      this.#source.stop(),
      this.#credentials.stop(),
      this.#mesh.stop(),
      this.#secrets.stop(),
      this.#debug?.close(),
      this.#monitoring?.close(),
    ]);
    this.#client.close();
  }

  get #namespace(): string {
    return this.#options.namespace ?? 'istio-system';
  }

  get #revision(): string {
    return this.#options.revision || DEFAULT_REVISION;
  }

  get #nodeAccounts(): readonly string[] {
    return this.#options.trustedNodeAccounts ?? defaultNodeAccounts(this.#namespace);
  }

  async #startHttp(): Promise<void> {
    const host = this.#options.httpHost ?? '127.0.0.1';
    const debug = debugRoutes({
      isReady: () => this.#ready,
      ambientz: () =>
        this.#model === undefined ? {} : renderAmbientz(this.#model.addresses, this.#model.authorizations),
      resources: () => (this.#model === undefined ? {} : feedDump(this.#model)),
      status: () => this.status(),
      objects: () => this.#objects(),
      version: this.#options.version,
      registry: this.#registry,
    });
    this.#debug = await serveHttp([host], this.#options.httpPort ?? 8080, debug);
    const routes = monitoringRoutes(() => this.#metrics.families(), this.#options.version);
    this.#monitoring = await serveHttp([host], this.#options.monitoringPort ?? 15014, routes);
  }

  #objects(): readonly ListedObject[] {
    const { rootNamespace } = this.#mesh.mesh;
    const notes = this.#model?.notes ?? new Map<string, string>();
    const problems = this.#intake.problems();
    return objectsDump({ store: this.#store, problems, notes, positions: new Map(), rootNamespace }, this.status());
  }

  #createMetrics(): ControlMetrics {
    return new ControlMetrics({
      version: this.#options.version,
      startedMs: this.#startedMs,
      ...this.stats,
      events: () => this.#intake.counts,
      rootExpiryMs: () => this.#authority?.notAfterMs,
      isLeader: () => this.#lease.isLeader,
      resources: () => {
        const model = this.#model;
        return model === undefined
          ? new Map()
          : new Map([model.addresses, model.authorizations].map(({ typeUrl, size }) => [typeUrl, size]));
      },
    });
  }

  /** Tries until there is a usable authority; what is missing is logged and keeps the replica from being ready. */
  async #openAuthority(): Promise<CertificateAuthority | undefined> {
    const { clock, logger } = this.#deps;
    const { defaultTtlMs, maxTtlMs } = this.#options;
    const issuing = {
      ...(defaultTtlMs === undefined ? {} : { defaultTtlMs }),
      ...(maxTtlMs === undefined ? {} : { maxTtlMs }),
    };
    while (!this.#stopping.signal.aborted) {
      try {
        const authority = await openAuthorityFrom(this.#secrets, issuing, { clock, logger: logger.scope('ca') });
        authority.watch();
        this.#authority = authority;
        return authority;
      } catch (error) {
        logger.scope('ca').error('certificate authority cannot be used, waiting', { reason: errorText(error) });
      }
      await sleep(clock, CA_RETRY_MS, this.#stopping.signal);
    }
    return undefined;
  }

  #serve(authority: CertificateAuthority, model: ModelBuilder): Promise<ServingControl> {
    const { clock, logger } = this.#deps;
    const { host = '0.0.0.0', grpcPort = 15012, dnsNames = [], tokenAudience } = this.#options;
    const revisioned = this.#revision === DEFAULT_REVISION ? [] : [`istiod-${this.#revision}.${this.#namespace}.svc`];
    const audience = tokenAudience === undefined ? {} : { audience: tokenAudience };
    return serveControl(
      { host, port: grpcPort, dnsNames: servingNames(this.#namespace, [...revisioned, ...dnsNames]) },
      {
        clock,
        logger,
        authority,
        authenticator: new TokenReviewAuthenticator(audience, { client: this.#client, clock }),
        model,
        store: this.#store,
        nodes: () => ({
          trustedNodeAccounts: this.#nodeAccounts,
          trustDomain: this.#mesh.mesh.trustDomain,
          trustNodeOfToken: false,
        }),
        stats: this.stats,
        registry: this.#registry,
      },
    );
  }

  #serveWebhook(authority: CertificateAuthority): Promise<RunningWebhook> {
    const { clock } = this.#deps;
    const { host = '0.0.0.0', webhookPort = 15017, dnsNames = [] } = this.#options;
    const logger = this.#deps.logger.scope('webhook');
    const certificate = new ServingCertificate(servingNames(this.#namespace, dnsNames), authority, { clock, logger });
    return startWebhook({ host, port: webhookPort }, { certificate, logger });
  }

  #meshChanged(model: ModelBuilder): void {
    const { mesh, config } = this.#mesh;
    this.#deps.logger.info('mesh configuration changed', {
      trustDomain: mesh.trustDomain,
      rootNamespace: mesh.rootNamespace,
      network: mesh.network,
      selectors: config.discoverySelectors.length,
    });
    this.#intake.setSelectors(config.discoverySelectors);
    model.setMesh(mesh);
    for (const listener of this.#selectionListeners) listener();
  }

  #leaderTasks(): LeaderTask[] {
    const authority = this.#authority;
    if (authority === undefined) return [];
    const shared = { ...this.#deps, client: this.#client, store: this.#store };
    return [
      new RootConfigMaps({
        ...shared,
        logger: this.#deps.logger.scope('ca'),
        isSelected: (namespace) => this.#intake.isSelected(namespace),
        rootsPem: () => authority.rootsPem,
        onChange: (listener) => {
          const end = authority.onChange(listener);
          this.#selectionListeners.add(listener);
          return () => {
            end();
            this.#selectionListeners.delete(listener);
          };
        },
      }),
      new ConditionWriter({ ...shared, observed: this.#observed, mesh: () => this.#mesh.mesh }),
      new WebhookTrust(WEBHOOK_CONFIGURATION, {
        ...shared,
        logger: this.#deps.logger.scope('webhook'),
        rootsPem: () => authority.rootsPem,
        onChange: (listener) => authority.onChange(listener),
      }),
      this.#rotation(),
      ...this.#waypoints(),
    ];
  }

  #waypoints(): LeaderTask[] {
    const { waypoint } = this.#options;
    if (waypoint === undefined) return [];
    const { clusterId, network } = this.#mesh.mesh;
    const runtime = { ...waypoint, clusterId, network, controlAddress: `https://istiod.${this.#namespace}.svc:15012` };
    return [
      new GatewayClassKeeper({ ...this.#deps, client: this.#client, logger: this.#deps.logger.scope('waypoint') }),
      new WaypointDeployer(runtime, {
        ...this.#deps,
        namespace: this.#namespace,
        revision: this.#revision,
        client: this.#client,
        store: this.#store,
        logger: this.#deps.logger.scope('waypoint'),
        mesh: () => this.#mesh.mesh,
        onMesh: (listener) => {
          this.#selectionListeners.add(listener);
          return () => this.#selectionListeners.delete(listener);
        },
      }),
    ];
  }

  #rotation(): LeaderTask {
    const { clock, logger } = this.#deps;
    const overlapMs = this.#options.rootOverlapMs ?? DEFAULT_OVERLAP_MS;
    let end: () => void = () => undefined;
    return {
      start: () => {
        const rotate = () => this.#secrets.rotate(overlapMs, clock.nowMs());
        if (this.#options.ownRoot !== false) end = keepRoot(rotate, { clock, logger: logger.scope('ca') });
      },
      stop: () => end(),
    };
  }
}

function namespaceOf(account: string): string {
  return account.split('/', 1)[0] ?? '';
}
