/**
 * A data thread: pods, connections and their telemetry. It is told everything by the control thread and decides every
 * connection by itself, so configuration work never delays bytes.
 */
import { randomInt } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type ProxyError, proxyError } from '../../hbone/proxy-error.ts';
import { peerRevoked, Revocations } from '../../hbone/revocations.ts';
import { TlsStore } from '../../hbone/tls-store.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../../hbone/tunnel-settings.ts';
import { BlockPool } from '../../http2/block-pool.ts';
import { INTAKE_BYTES } from '../../http2/socket-intake.ts';
import { MeshState, type StateChange } from '../../mesh/mesh-state.ts';
import { createDefaultDenials } from '../../model/policy-tally.ts';
import type { SpiffeId } from '../../model/spiffe.ts';
import {
  createHostnameResolver,
  HOSTNAME_CACHE_ENTRIES,
  type LookupAddresses,
  systemLookup,
} from '../../net/hostname-resolver.ts';
import type { WorkloadCertificate } from '../../pki/workload-certificate.ts';
import { policyFamily } from '../../telemetry/policy-metrics.ts';
import { tappedLogger } from '../../telemetry/tapped-logger.ts';
import { ThreadProfiler } from '../../telemetry/thread-profiler.ts';
import { TraceIds } from '../../telemetry/trace-ids.ts';
import { compactHeap } from '../compact-heap.ts';
import type { ZtunnelConfig } from '../config.ts';
import { idleCompaction } from '../idle-compaction.ts';
import type { IdleRest } from '../idle-rest.ts';
import { idleTrim } from '../idle-trim.ts';
import { DestinationResolver } from '../resolve-destination.ts';
import type {
  CertificateAnswer,
  ControlMessage,
  DataAnswers,
  DataMessage,
  MessageLine,
  PodAssignment,
} from '../thread-messages.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { ConnectionTracker } from './connection-tracker.ts';
import { DnsMetrics } from './dns-metrics.ts';
import { ResolvConfFile } from './dns-nameservers.ts';
import { createDnsNetwork } from './dns-network.ts';
import { LocalWorkload } from './local-workload.ts';
import { OnDemandDnsMetrics } from './on-demand-dns-metrics.ts';
import { podUidKey } from './on-demand-keys.ts';
import { OnDemandLookups } from './on-demand-lookups.ts';
import type { DnsContext, ThreadContext } from './pod-context.ts';
import { createPodNetwork } from './pod-network.ts';
import { PodProxy } from './pod-proxy.ts';
import { ThreadTap } from './thread-tap.ts';

export interface DataPlaneDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** How workloads named by hostname are found; default the resolvers of the process. */
  readonly lookup?: LookupAddresses;
  /** Changes the levels of this thread's log. */
  setLogFilter(directives: string): void;
  /** Writes the lines of this thread's log that still wait. */
  flushLog(): void;
}

type CertificateWaiter = (result: Result<WorkloadCertificate, ProxyError>) => void;

export class DataPlane {
  readonly #line: MessageLine<DataMessage, ControlMessage>;
  readonly #deps: DataPlaneDeps;
  readonly #context: ThreadContext;
  readonly #pods = new Map<string, PodProxy>();
  readonly #waiters = new Map<SpiffeId, CertificateWaiter[]>();
  readonly #profiler: ThreadProfiler;
  readonly #idleRests: readonly IdleRest[];
  readonly #tap: ThreadTap;

  constructor(config: ZtunnelConfig, line: MessageLine<DataMessage, ControlMessage>, deps: DataPlaneDeps) {
    this.#line = line;
    this.#deps = deps;
    this.#profiler = new ThreadProfiler(deps.clock);
    this.#idleRests = [idleCompaction(deps.clock), idleTrim(deps.clock)];
    this.#tap = new ThreadTap(deps.clock, (record, skipped) => line.post({ type: 'tapped', record, skipped }));
    this.#context = this.#createContext(config);
    const { state, tracker } = this.#context;
    state.onChange((changes) => {
      if (changes.some((change) => concernsPolicy(change, config.nodeName))) tracker.recheck(state);
    });
    line.onMessage((message) => this.#receive(message));
  }

  /** Ends every pod now. */
  async close(): Promise<void> {
    for (const uid of [...this.#pods.keys()]) this.#stopPod(uid);
    this.#context.onDemand?.close();
    for (const rest of this.#idleRests) rest.stop();
    await this.#context.tracker.whenEmpty();
  }

  #createContext(config: ZtunnelConfig): ThreadContext {
    const { clock, random, logger } = this.#deps;
    const state = new MeshState();
    const revocations = config.crlPath === undefined ? undefined : new Revocations();
    const ask = (key: string) => this.#line.post({ type: 'address-wanted', key });
    return {
      config,
      clock,
      random,
      logger,
      accessLog: tappedLogger(logger.scope('access'), this.#tap.tap, clock),
      state,
      resolver: new DestinationResolver(state, {
        network: config.network,
        random,
        ...(config.inboundPort !== 0 && { tunnelPort: config.inboundPort }),
      }),
      onDemand: config.xdsOnDemand && config.xdsAddress !== '' ? new OnDemandLookups({ state, ask }) : undefined,
      hostnames: createHostnameResolver({
        lookup: this.#deps.lookup ?? systemLookup(),
        cache: new LRUCache({ max: HOSTNAME_CACHE_ENTRIES }),
        random,
      }),
      tls: new TlsStore({
        clock,
        options: {
          tls12: config.tls12Enabled,
          compliancePolicy: config.compliancePolicy,
          handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
          ...(revocations !== undefined && {
            isRevoked: (certificate) => revocations.refuses(certificate, 'destination'),
          }),
        },

        fetch: (identity) => this.#wantCertificate(identity),
      }),
      revocations,
      metrics: new ConnectionMetrics(),
      traceIds: new TraceIds(),
      defaultDenials: createDefaultDenials(),
      tracker: new ConnectionTracker(),
      onDemandDns: new OnDemandDnsMetrics(),
      dns: this.#createDnsContext(config),
      blocks: new BlockPool(),
      intakeBuffer: Buffer.allocUnsafeSlow(INTAKE_BYTES),
    };
  }

  #createDnsContext(config: ZtunnelConfig): DnsContext {
    const { clock } = this.#deps;
    const logger = this.#deps.logger.scope('dns');
    return {
      logger,
      metrics: new DnsMetrics(),
      nameservers: new ResolvConfFile(config.resolvConfPath, { clock, logger }),
      // Ids that can be foreseen let a stranger answer in the server's place.
      randomId: () => randomInt(0x10000),
    };
  }

  #receive(message: ControlMessage): void {
    switch (message.type) {
      case 'state':
        return this.#context.state.apply(message.changes);
      case 'certificate':
        return this.#receiveCertificate(message.identity, message.answer);
      case 'forget-certificate':
        return this.#context.tls.forget(message.identity);
      case 'addresses-answered':
        return this.#context.onDemand?.answered(message.keys);
      case 'addresses-overdue':
        return this.#context.onDemand?.overdue(message.keys);
      case 'addresses-forgotten':
        return this.#context.onDemand?.forgotten(message.keys);
      case 'revocations':
        return this.#revoke(message.keys);
      case 'tap':
        return this.#tap.setFilters(message.filters);
      case 'log-filter':
        return this.#deps.setLogFilter(message.directives);
      default:
        void this.#answer(message);
    }
  }

  /** Facts ztunnel-wire 7.1: live tunnels of peers that are revoked now are closed, with their connections. */
  #revoke(keys: readonly string[]): void {
    const { revocations, tracker } = this.#context;
    if (revocations === undefined) return;
    revocations.replace(keys);
    tracker.abortRevoked((peerKeys) => revocations.has(peerKeys), peerRevoked);
    revocations.closeRevoked();
  }

  async #answer(message: Extract<ControlMessage, { request: number }>): Promise<void> {
    const body = await this.#handle(message);
    this.#line.post({ type: 'answer', request: message.request, body });
  }

  #handle(
    message: Extract<ControlMessage, { request: number }>,
  ): DataAnswers[keyof DataAnswers] | Promise<DataAnswers[keyof DataAnswers]> {
    switch (message.type) {
      case 'start-pod':
        return this.#startPod(message.pod);
      case 'stop-pod':
        return this.#stopPod(message.uid);
      case 'drain':
        return this.#drain(message.deadlineMs);
      case 'connections':
        return [...this.#pods.keys()].map((uid) => [uid, [...this.#context.tracker.ofPod(uid)]] as const);
      case 'metrics':
        return [
          ...this.#context.metrics.families(),
          policyFamily(this.#context.state.policies(), this.#context.defaultDenials),
          ...this.#context.tracker.families(),
          ...this.#context.onDemandDns.families(),
          ...this.#context.dns.metrics.families(),
          ...(this.#context.revocations?.families() ?? []),
        ];
      case 'profile-cpu':
        return this.#profiler.cpu(message.durationMs, message.frequencyHz);
      case 'sample-heap':
        return this.#profiler.sampleHeap(message.active).then(() => undefined);
      case 'profile-heap':
        return this.#profiler.heap();
      case 'compact-heap':
        // A thread that serves connections does not stand still for it.
        if (this.#context.tracker.size === 0) compactHeap();
        for (const rest of this.#idleRests) rest.start();
        return undefined;
      case 'ping':
        return undefined;
    }
  }

  async #startPod(pod: PodAssignment): Promise<DataAnswers['start-pod']> {
    this.#pods.get(pod.uid)?.stop();
    const { config, state, clock, logger, onDemand } = this.#context;
    const ask = onDemand && (() => onDemand.hint(podUidKey(config.clusterId, pod.info)));
    const network = createPodNetwork(config, pod.netnsFd, { clock, logger, random: this.#deps.random });
    const proxy = new PodProxy({
      ...this.#context,
      podUid: pod.uid,
      network,
      dnsNetwork: createDnsNetwork(config, pod.netnsFd, { clock, logger, isClosed: () => network.isClosed }),
      servedPorts: pod.servedPorts,
      local: new LocalWorkload(pod.info, state, clock, ask),
    });
    // Known from the beginning, so that a stop that comes while it starts finds it.
    this.#pods.set(pod.uid, proxy);
    try {
      const ports = await proxy.start();
      if (this.#pods.get(pod.uid) === proxy) return { ports };
      proxy.stop();
      return { error: 'the pod was stopped while its proxy started' };
    } catch (error) {
      if (this.#pods.get(pod.uid) === proxy) this.#pods.delete(pod.uid);
      return { error: errorText(error) };
    }
  }

  #stopPod(uid: string): undefined {
    this.#pods.get(uid)?.stop();
    this.#pods.delete(uid);
  }

  /** Facts ztunnel-wire 14: no new connections, then a bounded wait, then the end. */
  async #drain(deadlineMs: number): Promise<undefined> {
    const { tracker, clock } = this.#context;
    for (const pod of this.#pods.values()) pod.drain();
    await new Promise<void>((resolve) => {
      const timer = clock.after(deadlineMs, resolve);
      void tracker.whenEmpty().then(() => {
        timer.cancel();
        resolve();
      });
    });
    tracker.abortAll(proxyError('DRAINED', 'connection closed due to connection drain'));
    for (const pod of this.#pods.values()) pod.stop();
    this.#deps.flushLog();
    return undefined;
  }

  #wantCertificate(identity: SpiffeId): Promise<Result<WorkloadCertificate, ProxyError>> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(identity);
      if (waiters !== undefined) {
        waiters.push(resolve);
        return;
      }
      this.#waiters.set(identity, [resolve]);
      this.#line.post({ type: 'certificate-wanted', identity });
    });
  }

  #receiveCertificate(identity: SpiffeId, answer: CertificateAnswer): void {
    if (answer.kind === 'certificate') {
      const updated = this.#context.tls.update(answer.certificate);
      if (!updated.ok) this.#deps.logger.error('certificate refused', { identity, error: updated.error.message });
    }
    const waiters = this.#waiters.get(identity) ?? [];
    this.#waiters.delete(identity);
    const result =
      answer.kind === 'certificate' ? ok(answer.certificate) : fail(proxyError(answer.code, answer.message));
    for (const resolve of waiters) resolve(result);
  }
}

/** Whether a change can turn the policy decision over a connection of this node. */
function concernsPolicy(change: StateChange, nodeName: string): boolean {
  if (change.kind === 'policy' || change.kind === 'remove-policy') return true;
  return change.kind === 'workload' && (nodeName === '' || change.workload.node === nodeName);
}
