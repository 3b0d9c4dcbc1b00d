/**
 * ztunnel put together: the control thread with feed, certificates, agent, admin and metrics, and the data threads.
 * `startZtunnel` returns the addresses in use, so that a caller with ports of 0 finds them.
 */
import { fstatSync, readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Readiness } from '../base/readiness.ts';
import { certificateStatus } from '../hbone/certificate-dump.ts';
import { MeshState, type StateChange } from '../mesh/mesh-state.ts';
import type { ProxyStatus } from '../model/proxy-status.ts';
import { closeFd } from '../native/sockets.ts';
import type { LookupAddresses } from '../net/hostname-resolver.ts';
import { type HttpRoutes, serveHttp } from '../net/http-endpoint.ts';
import { adminRoutes } from '../telemetry/admin-routes.ts';
import type { LogFilter } from '../telemetry/log-filter.ts';
import { metricsRoutes } from '../telemetry/metrics-routes.ts';
import type { ProbeQuestion } from '../telemetry/probe-routes.ts';
import { processFamilies } from '../telemetry/process-metrics.ts';
import { Tap } from '../telemetry/tap.ts';
import { XdsMetrics } from '../telemetry/xds-metrics.ts';
import type { CertificateSource } from '../xds/client/ca-client.ts';
import { Certificates } from './certificates.ts';
import { compactHeap } from './compact-heap.ts';
import type { ZtunnelConfig } from './config.ts';
import { configDump } from './config-dump.ts';
import { CrlFile } from './crl-file.ts';
import type { PodPorts } from './data/pod-proxy.ts';
import { DataThreads } from './data-threads.ts';
import { FeedSubscription } from './feed-subscription.ts';
import { idleCompaction } from './idle-compaction.ts';
import { idleTrim } from './idle-trim.ts';
import { PodManager } from './pod-manager.ts';
import { mergeFamilies, podFamilies } from './process-metrics.ts';
import { checkPrivileges } from './start-checks.ts';
import type { PodAssignment } from './thread-messages.ts';
import { threadProfilers } from './thread-profilers.ts';
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
  readonly #tap: Tap;
  readonly #threads: DataThreads;
  readonly #certificates: Certificates;
  readonly #pods: PodManager;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #feed: FeedSubscription | undefined;
  #draining: Promise<void> | undefined;

  constructor(config: ZtunnelConfig, deps: ZtunnelDeps) {
    this.#config = config;
    this.#deps = deps;
    const { clock, random, logger, certificateSource } = deps;
    this.#tap = new Tap(clock);
    this.#threads = new DataThreads({
      onCertificateWanted: (identity) => void this.#certificates.answer(identity),
      onAddressWanted: (key) => this.#feed?.want(key),
      onTapped: (record, skipped) => {
        this.#tap.skipped(skipped);
        this.#tap.offer(record);
      },
      onDeath: (error) => {
        logger.error('data thread died', { error: errorText(error) });
        deps.onExit(1);
      },
    });
    const broadcast = this.#threads.broadcast.bind(this.#threads);
    this.#certificates = new Certificates(config, { clock, random, logger, source: certificateSource, broadcast });
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
    const synced = this.#subscribe()
      .then(() => this.#compactHeaps())
      .then(() => stateTask.ready());
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
        // What the process logs is written when it ends.
        flushLog: () => undefined,
        ...(lookup !== undefined && { lookup }),
      });
    } else {
      // Dedicated mode shares its ports with nobody, so that a conflict shows: one thread has them.
      const { mode, dataThreads } = this.#config;
      this.#threads.startWorkers(this.#config, mode === 'dedicated' ? 1 : dataThreads);
    }
  }

  #apply(changes: readonly StateChange[]): void {
    this.#state.apply(changes);
    this.#threads.broadcast({ type: 'state', changes });
    this.#certificates.apply(changes);
  }

  /** Resolves once the control plane gave its first state, or at once without a control plane. */
  #subscribe(): Promise<void> {
    if (this.#config.xdsAddress === '') return Promise.resolve();
    const { clock, logger } = this.#deps;
    const feed = new FeedSubscription(this.#config, {
      clock,
      logger,
      metrics: this.#xdsMetrics,
      apply: (changes) => this.#apply(changes),
      connected: () => this.#certificates.retry(),
      broadcast: (message) => this.#threads.broadcast(message),
    });
    this.#feed = feed;
    this.#closers.push(() => feed.stop());
    return feed.synced;
  }

  /** Once, before the first pod: the heaps hold what the start left, and there is nothing yet that could wait. */
  async #compactHeaps(): Promise<void> {
    await this.#threads.request({ type: 'compact-heap' });
    if (this.#threads.shareCaller) return;
    compactHeap();
    for (const rest of [idleCompaction(this.#deps.clock), idleTrim(this.#deps.clock)]) {
      rest.start();
      this.#closers.push(() => rest.stop());
    }
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
    const { ipv6Enabled, adminPort, metricsPort, readinessPort } = this.#config;
    const loopback = ipv6Enabled ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
    const wildcard = ipv6Enabled ? ['::'] : ['0.0.0.0'];
    return {
      adminPort: await this.#serve(loopback, adminPort, this.#adminRoutes()),
      metricsPort: await this.#serve(
        wildcard,
        metricsPort,
        metricsRoutes(() => this.#metricFamilies()),
      ),
      readinessPort: await this.#serve(wildcard, readinessPort, {
        'GET /healthz/ready': async () => {
          // The question passes through every data thread: one that hangs fails the probe.
          if (this.#config.proxyEnabled) await this.#threads.request({ type: 'ping' });
          return { status: this.#readiness.isReady ? 200 : 500, body: this.#readiness.text() };
        },
      }),
    };
  }

  /** Serves until the end; resolves with the port. */
  async #serve(hosts: readonly string[], port: number, routes: HttpRoutes): Promise<number> {
    const endpoint = await serveHttp(hosts, port, routes);
    this.#closers.push(() => endpoint.close());
    return endpoint.port;
  }

  #adminRoutes(): HttpRoutes {
    const { clock, logFilter } = this.#deps;
    return adminRoutes({
      title: 'ambit ztunnel',
      logFilter,
      profiles: { clock, profilers: threadProfilers(this.#threads, clock) },
      tap: { clock, tap: this.#tap, onFilters: (filters) => this.#threads.broadcast({ type: 'tap', filters }) },
      probe: { clock, probe: (question) => this.#probe(question) },
      onLogFilter: (directives) => this.#threads.broadcast({ type: 'log-filter', directives }),
      dump: () => this.#dump(),
      status: () => this.#status(),
      shutdown: () => void this.drain(),
    });
  }

  async #probe(question: ProbeQuestion) {
    // Only a proxy that is asked pays for it.
    const { answerProbe } = await import('./probe/answer-probe.ts');
    const { clock, random, logger } = this.#deps;
    return answerProbe(question, {
      config: this.#config,
      state: this.#state,
      clock,
      random,
      logger: logger.scope('probe'),
      pods: this.#pods,
      certificate: (identity) => this.#certificates.fetch(identity),
    });
  }

  async #metricFamilies() {
    const traffic = this.#config.proxyEnabled ? await this.#threads.request({ type: 'metrics' }) : [];
    return [
      ...processFamilies('ztunnel', this.#deps.version['version'] ?? 'unknown'),
      ...this.#xdsMetrics.families(),
      ...mergeFamilies(traffic),
      ...podFamilies(this.#pods.counts()),
    ];
  }

  async #status(): Promise<ProxyStatus> {
    const threads = this.#config.proxyEnabled ? await this.#threads.request({ type: 'connections' }) : [];
    return {
      version: this.#deps.version['version'] ?? '',
      certificates: [...this.#certificates.states()].map(([identity, state]) => certificateStatus(identity, state)),
      connections: threads.flat().reduce((sum, [, list]) => sum + list.length, 0),
    };
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
