/** The node agent put together. */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { AmbitError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { dropRedirected, raiseFileLimit } from '../native/sockets.ts';
import { type HttpRoutes, serveHttp } from '../net/http-endpoint.ts';
import { metricsRoutes } from '../telemetry/metrics-routes.ts';
import { AgentMetrics, probeRoutes } from './agent-metrics.ts';
import { listenAgentHttp } from './agent-server.ts';
import { ClusterMode } from './cluster/cluster-mode.ts';
import type { AgentConfig } from './config.ts';
import { chooseHostBackend } from './host/choose-backend.ts';
import { HostProbeExemptions } from './host/probe-exemptions.ts';
import { PodEnroller } from './pod-enroller.ts';
import { PodRegistry } from './pod-registry.ts';
import { RuleApplier } from './rule-applier.ts';
import { type RunCommand, runCommand } from './run-command.ts';
import { zdsError } from './zds-connection.ts';
import { ZdsServer } from './zds-server.ts';

export interface AgentDeps {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly run?: RunCommand;
  /** Uniform numbers in [0, 1). */
  readonly random?: () => number;
  /** Required when the configuration names a node of a cluster. The agent closes it. */
  readonly client?: KubeClient;
}

/** A running agent. */
export interface Agent {
  readonly zdsPath: string;
  readonly socketPath: string;
  /** With the port that was chosen when 0 was asked for. */
  readonly readiness: Endpoint;
  readonly monitoring: Endpoint | undefined;
  /** Closes every socket. Rules and ztunnel's proxies stay in place: traffic goes on during an upgrade. */
  stop(): Promise<void>;
}

/** The parts that every agent has. */
interface Parts {
  readonly registry: PodRegistry;
  readonly enroller: PodEnroller;
  readonly metrics: AgentMetrics;
  readonly cluster: ClusterMode | undefined;
  readonly zds: ZdsDoor;
}

/**
 * Starts the agent; resolves when its sockets answer. In a cluster the readiness endpoint tells when it is complete.
 * @throws AmbitError NATIVE_*, LISTEN_*, INVALID_CONFIGURATION
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<Agent> {
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  raiseFileLimit();
  const { registry, enroller, metrics, cluster, zds } = createParts(config, deps);
  // Connections end before the descriptors that wait in them are closed.
  stops.push(() => enroller.stop());
  stops.push(() => zds.close());
  try {
    if (cluster === undefined) zds.open();
    const http = await listenAgentHttp(config.socketPath, {
      enroller,
      registry,
      log: deps.log.scope('http'),
      ...(cluster === undefined ? {} : { cmdAdd: (cmdAdd) => cluster.cmdAdd(cmdAdd) }),
    });
    stops.push(() => closeServer(http));
    const serve = async (endpoint: Endpoint, routes: HttpRoutes): Promise<Endpoint> => {
      const server = await serveHttp([endpoint.address], endpoint.port, routes);
      stops.push(() => server.close());
      return { address: endpoint.address, port: server.port };
    };
    const gauges = () => ({
      podStates: registry.list().map(({ state }) => state.kind),
      zdsConnections: zds.connectionCount,
      isCniInstalled: cluster?.isCniInstalled,
    });
    const monitoring =
      config.monitoring === undefined
        ? undefined
        : await serve(
            config.monitoring,
            metricsRoutes(() => metrics.families(gauges())),
          );
    const readiness = await serve(
      config.readiness,
      probeRoutes(() => cluster?.problems() ?? []),
    );
    if (cluster !== undefined) stops.push(() => cluster.stop());
    cluster?.start();
    return { zdsPath: config.zdsPath, socketPath: config.socketPath, readiness, monitoring, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createParts(config: AgentConfig, deps: AgentDeps): Parts {
  const { log, clock = systemClock, run = runCommand, random = Math.random, client } = deps;
  const registry = new PodRegistry();
  const metrics = new AgentMetrics();
  const zds = new ZdsDoor(config.zdsPath, { clock, log: log.scope('zds'), snapshot: () => registry.snapshot() });
  const applier = new RuleApplier(config.ruleBackend, { run, log: log.scope('rules') });
  const enrollerDeps = {
    registry,
    applier,
    zds,
    run,
    dropRedirected,
    clock,
    log: log.scope('pods'),
  };
  const onOutcome: NonNullable<ConstructorParameters<typeof PodEnroller>[1]['onOutcome']> = (uid, outcome) => {
    metrics.outcome(outcome);
    cluster?.onOutcome(uid, outcome);
  };
  let cluster: ClusterMode | undefined;
  if (config.cluster === undefined) {
    const enroller = new PodEnroller(config, { ...enrollerDeps, onOutcome });
    return { registry, enroller, metrics, cluster, zds };
  }
  if (client === undefined) throw new AmbitError('INVALID_CONFIGURATION', 'a node of a cluster needs an API server');
  const probes = createProbes(config, config.cluster.procRoot, { run, clock, log: log.scope('probes') });
  const enroller = new PodEnroller(config, { ...enrollerDeps, onOutcome, probes });
  cluster = new ClusterMode(config, config.cluster, {
    client,
    registry,
    enroller,
    probes,
    openZds: () => zds.open(),
    onInstall: (result) => metrics.install(result),
    clock,
    random,
    log,
  });
  return { registry, enroller, metrics, cluster, zds };
}

function createProbes(
  { ruleBackend, rules }: AgentConfig,
  procRoot: string,
  deps: { readonly run: RunCommand; readonly clock: Clock; readonly log: Logger },
): HostProbeExemptions {
  const { probeAddressV4: sourceV4, probeAddressV6: sourceV6, ipv6 } = rules;
  const options = { backend: ruleBackend, sourceV4, sourceV6, ipv6, procRoot };
  return new HostProbeExemptions({
    backend: () => chooseHostBackend(options, deps),
    clock: deps.clock,
    log: deps.log,
  });
}

/** The ZDS server, which is opened once the pods of before are known. Until then there is no ztunnel. */
class ZdsDoor {
  readonly #path: string;
  readonly #deps: ConstructorParameters<typeof ZdsServer>[1];
  #server: ZdsServer | undefined;
  #closed = false;

  constructor(path: string, deps: ConstructorParameters<typeof ZdsServer>[1]) {
    this.#path = path;
    this.#deps = deps;
  }

  get connectionCount(): number {
    return this.#server?.connectionCount ?? 0;
  }

  /** @throws AmbitError NATIVE_* */
  open(): void {
    if (this.#closed) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#server ??= new ZdsServer(this.#path, this.#deps);
  }

  add(...args: Parameters<ZdsServer['add']>): Promise<void> {
    return this.#server?.add(...args) ?? Promise.reject(zdsError('ZDS_NO_CONNECTION', 'the agent is starting'));
  }

  del(uid: string): Promise<void> {
    return this.#server?.del(uid) ?? Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#server?.close();
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
