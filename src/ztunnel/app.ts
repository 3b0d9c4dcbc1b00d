/**
 * ztunnel put together: the control thread with feed, certificates, agent, admin and metrics, and the data threads.
 * `startZtunnel` returns the addresses in use, so that a caller with ports of 0 finds them.
 */
import { fstatSync, readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { closeFd } from '../native/sockets.ts';
import { serveHttp } from '../net/http-endpoint.ts';
import type { Node } from '../proto/gen/discovery.ts';
import type { LogFilter } from '../telemetry/log-filter.ts';
import { CaClient, type CertificateSource } from '../xds/client/ca-client.ts';
import { DeltaClient } from '../xds/client/delta-client.ts';
import type { ControlPlaneEndpoint } from '../xds/client/grpc-channel.ts';
import { adminRoutes } from './admin-routes.ts';
import { CertificateManager } from './certificate-manager.ts';
import type { ZtunnelConfig } from './config.ts';
import { configDump } from './config-dump.ts';
import { CrlFile } from './crl-file.ts';
import type { LookupAddresses } from './data/hostname-resolver.ts';
import type { PodPorts } from './data/pod-proxy.ts';
import { DataThreads } from './data-threads.ts';
import { FakeCertificateSource, noCertificateSource } from './fake-certificate-source.ts';
import { ADDRESS_TYPE, type FeedOptions, feedHandlers } from './feed.ts';
import { MeshState, type StateChange } from './mesh-state.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { OnDemandAddresses } from './on-demand-addresses.ts';
import { PodManager } from './pod-manager.ts';
import { CertificatePrefetch } from './prefetch.ts';
import { mergeFamilies, podFamilies, processFamilies, XdsMetrics } from './process-metrics.ts';
import { Readiness } from './readiness.ts';
import { checkPrivileges } from './start-checks.ts';
import type { CertificateAnswer, PodAssignment } from './thread-messages.ts';
import { ZdsClient } from './zds-client.ts';

export interface ZtunnelDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly logFilter: LogFilter;
  readonly version: Readonly<Record<string, string>>;
  /** Run the data plane in the calling thread instead of in workers. */
  readonly inThread?: boolean;
  /** Where certificates come from, in place of what the configuration says. */
  readonly certificateSource?: CertificateSource;
  /** How workloads named by hostname are found, when the data plane runs in the calling thread. */
  readonly lookup?: LookupAddresses;
  /** Called once when the process should end: drained after a signal or `/quitquitquit`, or because of a failure. */
  onExit(code: number): void;
}

export interface ZtunnelHandle {
  readonly adminPort: number;
  readonly metricsPort: number;
  readonly readinessPort: number;
  /** The ports of the workload of dedicated mode. */
  readonly dedicatedPorts: PodPorts | undefined;
  /** The tunnel port of this process's own endpoints, when it has one. */
  readonly selfPort: number | undefined;
  readonly ready: () => boolean;
  /** Applies changes as if they came from the control plane. */
  apply(changes: readonly StateChange[]): void;
  /** Graceful: no new connections, then the deadline, then the end. */
  drain(): Promise<void>;
  /** Ends at once. */
  stop(): Promise<void>;
}

/** Starts everything; throws an AmbitError when a start-up step fails, with nothing left behind. */
export async function startZtunnel(config: ZtunnelConfig, deps: ZtunnelDeps): Promise<ZtunnelHandle> {
  const ztunnel = new Ztunnel(config, deps);
  try {
    return await ztunnel.start();
  } catch (error) {
    await ztunnel.stop();
    throw error;
  }
}

class Ztunnel {
  readonly #config: ZtunnelConfig;
  readonly #deps: ZtunnelDeps;
  readonly #state = new MeshState();
  readonly #readiness = new Readiness();
  readonly #xdsMetrics = new XdsMetrics();
  readonly #threads: DataThreads;
  readonly #certificates: CertificateManager;
  readonly #prefetch: CertificatePrefetch;
  readonly #pods: PodManager;
  readonly #closers: (() => Promise<void> | void)[] = [];
  /** Set while a feed is asked for addresses one by one. */
  #onDemand: OnDemandAddresses | undefined;
  #draining: Promise<void> | undefined;

  constructor(config: ZtunnelConfig, deps: ZtunnelDeps) {
    this.#config = config;
    this.#deps = deps;
    const { clock, random, logger } = deps;
    this.#threads = new DataThreads({
      onCertificateWanted: (identity) => void this.#answerCertificate(identity),
      onAddressWanted: (key) => this.#onDemand?.want(key),
      onDeath: (error) => {
        logger.error('data thread died', { error: errorText(error) });
        deps.onExit(1);
      },
    });
    this.#certificates = new CertificateManager({
      source: this.#certificateSource(),
      clock,
      random,
      logger: logger.scope('identity'),
      onCertificate: (certificate) => {
        const answer: CertificateAnswer = { kind: 'certificate', certificate };
        this.#threads.broadcast({ type: 'certificate', identity: certificate.identity, answer });
      },
    });
    this.#prefetch = new CertificatePrefetch(config.nodeName, {
      prefetch: (identity) => this.#certificates.prefetch(identity),
      forget: (identity) => {
        this.#certificates.forget(identity);
        this.#threads.broadcast({ type: 'forget-certificate', identity });
      },
    });
    this.#pods = this.#createPodManager();
  }

  async start(): Promise<ZtunnelHandle> {
    const config = this.#config;
    const shared = config.mode === 'shared' && config.proxyEnabled;
    if (shared) checkPrivileges(config.packetMark);
    const { adminPort, metricsPort, readinessPort } = await this.#serveEndpoints();
    if (config.proxyEnabled) this.#startThreads();
    const stateTask = this.#readiness.task('state manager');
    this.#followCrl();
    await this.#applyLocalConfig();
    const synced = this.#subscribe().then(() => stateTask.ready());
    const dedicatedPorts = config.mode === 'dedicated' ? await this.#startDedicated(synced) : undefined;
    const selfPort = shared ? await this.#startSelf([metricsPort, readinessPort]) : undefined;
    if (shared) this.#startShared(synced);
    return {
      adminPort,
      metricsPort,
      readinessPort,
      dedicatedPorts,
      selfPort,
      ready: () => this.#readiness.isReady,
      apply: (changes) => this.#apply(changes),
      drain: () => this.drain(),
      stop: () => this.stop(),
    };
  }

  drain(): Promise<void> {
    this.#draining ??= (async () => {
      this.#deps.logger.info('shutdown started', { deadline: `${this.#config.drainDeadlineMs}ms` });
      if (this.#config.proxyEnabled) {
        await this.#threads.request({ type: 'drain', deadlineMs: this.#config.drainDeadlineMs });
      }
      await this.stop();
      this.#deps.logger.info('shutdown complete');
      this.#deps.onExit(0);
    })();
    return this.#draining;
  }

  async stop(): Promise<void> {
    const closers = this.#closers.splice(0).reverse();
    for (const close of closers) await close();
    this.#certificates.stop();
    await this.#threads.close();
  }

  #startThreads(): void {
    const { clock, random, logger, logFilter, inThread, lookup } = this.#deps;
    if (inThread === true || this.#config.singleThread) {
      this.#threads.startInThread(this.#config, {
        clock,
        random,
        logger,
        setLogFilter: (directives) => void logFilter.update(directives),
        ...(lookup !== undefined && { lookup }),
      });
    } else {
      // Dedicated mode shares its ports with nobody, so that a conflict shows: one thread has them.
      const { mode, dataThreads } = this.#config;
      this.#threads.startWorkers(this.#config, mode === 'dedicated' ? 1 : dataThreads);
    }
  }

  #certificateSource(): CertificateSource {
    const { fakeCa, caAddress, caRootCa, altCaHostname, authToken, clusterId, caHeaders, secretTtlMs, mode } =
      this.#config;
    if (this.#deps.certificateSource !== undefined) return this.#deps.certificateSource;
    if (fakeCa) return new FakeCertificateSource(secretTtlMs, this.#deps.clock);
    if (caAddress === '') return noCertificateSource;
    const endpoint = {
      address: caAddress,
      rootCa: caRootCa,
      altHostname: altCaHostname,
      authToken,
      clusterId,
      headers: caHeaders,
    };
    return new CaClient({ endpoint, ttlMs: secretTtlMs, impersonate: mode === 'shared' });
  }

  #apply(changes: readonly StateChange[]): void {
    this.#state.apply(changes);
    this.#threads.broadcast({ type: 'state', changes });
    if (this.#config.mode === 'shared') this.#prefetch.apply(changes);
  }

  #followCrl(): void {
    const { crlPath } = this.#config;
    if (crlPath === undefined) return;
    const { clock, logger } = this.#deps;
    const onList = (keys: readonly string[]) => this.#threads.broadcast({ type: 'revocations', keys });
    const file = new CrlFile(crlPath, { clock, logger: logger.scope('crl'), onList });
    file.start();
    this.#closers.push(() => file.stop());
  }

  async #applyLocalConfig(): Promise<void> {
    const { localXds } = this.#config;
    if (localXds === undefined) return;
    // Only a proxy without a control plane pays for the YAML reader.
    const { parseLocalConfig } = await import('./local-config.ts');
    const text = 'path' in localXds ? readLocalConfig(localXds.path) : localXds.text;
    this.#apply(parseLocalConfig(text, 'path' in localXds ? localXds.path : 'LOCAL_XDS'));
  }

  /** Resolves once the control plane gave its first state, or at once without a control plane. */
  #subscribe(): Promise<void> {
    const address = this.#config.xdsAddress;
    if (address === '') return Promise.resolve();
    const { xdsRootCa, altXdsHostname, authToken, clusterId, xdsHeaders, xdsOnDemand } = this.#config;
    const endpoint: ControlPlaneEndpoint = {
      address,
      rootCa: xdsRootCa,
      altHostname: altXdsHostname,
      authToken,
      clusterId,
      headers: xdsHeaders,
    };
    const onAddresses: FeedOptions['onAddresses'] = xdsOnDemand
      ? (resources, removed) => this.#onDemand?.pushed(resources, removed)
      : undefined;
    const handlers = feedHandlers({ onAddresses }, (changes) => this.#apply(changes));
    const waiting = new Set(handlers.filter(({ onDemand }) => !onDemand).map(({ typeUrl }) => typeUrl));
    const { clock, logger } = this.#deps;
    return new Promise((resolve) => {
      const client = new DeltaClient(
        { endpoint, node: feedNode(this.#config), handlers },
        {
          clock,
          logger: logger.scope('xds'),
          onMessage: (typeUrl, bytes) => this.#xdsMetrics.message(typeUrl, bytes),
          onTerminated: (reason) => this.#xdsMetrics.terminated(reason),
          onReady: (typeUrl) => {
            waiting.delete(typeUrl);
            if (waiting.size === 0) resolve();
          },
        },
      );
      this.#closers.push(() => client.stop());
      if (xdsOnDemand) this.#askOneByOne(client);
      void client.run();
    });
  }

  #askOneByOne(client: DeltaClient): void {
    const onDemand = new OnDemandAddresses({
      clock: this.#deps.clock,
      subscribe: (key) => client.subscribe(ADDRESS_TYPE, key),
      unsubscribe: (keys) => client.unsubscribe(ADDRESS_TYPE, keys),
      answer: (keys) => this.#threads.broadcast({ type: 'addresses-answered', keys }),
      overdue: (keys) => this.#threads.broadcast({ type: 'addresses-overdue', keys }),
      forget: (keys) => this.#threads.broadcast({ type: 'addresses-forgotten', keys }),
    });
    this.#onDemand = onDemand;
    this.#closers.push(() => onDemand.stop());
  }

  async #answerCertificate(identity: Parameters<CertificateManager['fetch']>[0]): Promise<void> {
    const result = await this.#certificates.fetch(identity);
    const answer: CertificateAnswer = result.ok
      ? { kind: 'certificate', certificate: result.value }
      : { kind: 'error', code: result.error.code, message: result.error.message };
    this.#threads.broadcast({ type: 'certificate', identity, answer });
  }

  async #startPod(pod: PodAssignment): Promise<{ ports: PodPorts } | { error: string }> {
    const answers = await this.#threads.request({ type: 'start-pod', pod });
    const failed = answers.find((answer) => 'error' in answer);
    if (failed === undefined) return answers[0] ?? { error: 'no data thread' };
    await this.#threads.request({ type: 'stop-pod', uid: pod.uid });
    return failed;
  }

  #createPodManager(): PodManager {
    const task =
      this.#config.mode === 'shared' && this.#config.proxyEnabled
        ? this.#readiness.task('workload proxy manager')
        : undefined;
    const pods: PodManager = new PodManager({
      clock: this.#deps.clock,
      logger: this.#deps.logger.scope('inpod'),
      startPod: async (pod) => {
        const started = await this.#startPod(pod);
        return 'error' in started ? started.error : undefined;
      },
      stopPod: async (uid) => void (await this.#threads.request({ type: 'stop-pod', uid })),
      closeFd,
      netnsId: (fd) => {
        const { dev, ino } = fstatSync(fd);
        return `${dev}:${ino}`;
      },
      onChange: () => (pods.ready ? task?.ready() : task?.notReady()),
    });
    return pods;
  }

  #startShared(synced: Promise<void>): void {
    const { clock, random, logger } = this.#deps;
    const client = new ZdsClient(this.#config.zdsSocketPath, {
      clock,
      random,
      logger: logger.scope('inpod'),
      pods: this.#pods,
      closeFd,
      onProtocolError: () => void this.drain().then(() => this.#deps.onExit(1)),
    });
    this.#closers.push(async () => {
      client.stop();
      await this.#pods.stop();
    });
    // Pods are asked for only once it is known who they are and what applies to them (facts ztunnel-wire 3.3, step 0).
    void synced.then(() => client.run());
  }

  async #startDedicated(synced: Promise<void>): Promise<PodPorts | undefined> {
    const info = this.#config.dedicatedWorkload;
    if (info === undefined) return undefined;
    const tasks = [this.#readiness.task('proxy')];
    if (this.#config.dnsCapture) tasks.push(this.#readiness.task('dns proxy'));
    const started = await this.#startPod({ uid: 'dedicated', info, netnsFd: undefined });
    if ('error' in started) throw startFailed(started.error);
    void synced.then(() => {
      for (const task of tasks) task.ready();
    });
    return started.ports;
  }

  /** Our own endpoints over mutual TLS, for scrapers inside the mesh (facts ztunnel-wire 1.1). */
  async #startSelf(servedPorts: readonly number[]): Promise<number | undefined> {
    const { podName: name, podNamespace: namespace, serviceAccount } = this.#config;
    if (name === '' || namespace === '' || serviceAccount === '') return undefined;
    const info = { name, namespace, serviceAccount };
    const started = await this.#startPod({ uid: 'ztunnel-self', info, netnsFd: undefined, servedPorts });
    if ('error' in started) throw startFailed(started.error);
    return started.ports.inbound;
  }

  async #serveEndpoints(): Promise<{ adminPort: number; metricsPort: number; readinessPort: number }> {
    const config = this.#config;
    const loopback = config.ipv6Enabled ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
    const wildcard = config.ipv6Enabled ? ['::'] : ['0.0.0.0'];
    const { logFilter } = this.#deps;
    const admin = await serveHttp(
      loopback,
      config.adminPort,
      adminRoutes({
        logFilter,
        onLogFilter: (directives) => this.#threads.broadcast({ type: 'log-filter', directives }),
        dump: () => this.#dump(),
        shutdown: () => void this.drain(),
      }),
    );
    this.#closers.push(() => admin.close());
    const routes = metricsRoutes(() => this.#metricFamilies());
    const metrics = await serveHttp(wildcard, config.metricsPort, routes);
    this.#closers.push(() => metrics.close());
    const readiness = await serveHttp(wildcard, config.readinessPort, {
      'GET /healthz/ready': async () => {
        // The question passes through every data thread: one that hangs fails the probe.
        if (config.proxyEnabled) await this.#threads.request({ type: 'ping' });
        return { status: this.#readiness.isReady ? 200 : 500, body: this.#readiness.text() };
      },
    });
    this.#closers.push(() => readiness.close());
    return { adminPort: admin.port, metricsPort: metrics.port, readinessPort: readiness.port };
  }

  async #metricFamilies() {
    const traffic = this.#config.proxyEnabled ? await this.#threads.request({ type: 'metrics' }) : [];
    return [
      ...processFamilies(this.#deps.version['version'] ?? 'unknown'),
      ...this.#xdsMetrics.families(),
      ...mergeFamilies(traffic),
      ...podFamilies(this.#pods.counts()),
    ];
  }

  async #dump(): Promise<unknown> {
    const threads = this.#config.proxyEnabled ? await this.#threads.request({ type: 'connections' }) : [];
    const connections = new Map<string, (typeof threads)[number][number][1][number][]>();
    for (const [uid, list] of threads.flat()) connections.set(uid, [...(connections.get(uid) ?? []), ...list]);
    return configDump({
      state: this.#state,
      config: this.#config,
      version: this.#deps.version,
      certificates: this.#certificates.states(),
      pods: this.#pods.summaries(),
      connections,
    });
  }
}

function startFailed(reason: string): AmbitError {
  return new AmbitError('PROXY_START_FAILED', `cannot start the proxy: ${reason}`);
}

function readLocalConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AmbitError('INVALID_LOCAL_CONFIG', `cannot read LOCAL_XDS_PATH ${path}: ${errorText(cause)}`, { cause });
  }
}

/** How we introduce ourselves to the control plane (facts ztunnel-wire 5.2). */
function feedNode(config: ZtunnelConfig): Node {
  const { instanceIp, podName, podNamespace, nodeName, proxyMetadata } = config;
  return {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    cluster: '',
    buildVersion: '',
    metadata: {
      ...Object.fromEntries(proxyMetadata),
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
    },
  };
}
