/** The node agent put together. */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Endpoint } from '../native/endpoint.ts';
import { raiseFileLimit } from '../native/sockets.ts';
import { type FindPod, listenAgentHttp } from './agent-server.ts';
import type { AgentConfig } from './config.ts';
import { PodEnroller } from './pod-enroller.ts';
import { PodRegistry } from './pod-registry.ts';
import { listenReadiness } from './readiness-server.ts';
import { RuleApplier } from './rule-applier.ts';
import { type RunCommand, runCommand } from './run-command.ts';
import { ZdsServer } from './zds-server.ts';

export interface AgentDeps {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly run?: RunCommand;
  /** Source of what the CNI plugin does not say; the local engine needs none. */
  readonly findPod?: FindPod;
}

/** A running agent. */
export interface Agent {
  readonly zdsPath: string;
  readonly socketPath: string;
  /** With the port that was chosen when 0 was asked for. */
  readonly readiness: Endpoint;
  /** Closes every socket. Rules and ztunnel's proxies stay in place: traffic goes on during an upgrade. */
  stop(): Promise<void>;
}

/**
 * Starts the agent; resolves when pods can be added.
 * @throws AmbitError NATIVE_*, LISTEN_*
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<Agent> {
  const { log, clock = systemClock, run = runCommand } = deps;
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  let ready = false;
  raiseFileLimit();
  const registry = new PodRegistry();
  mkdirSync(dirname(config.zdsPath), { recursive: true });
  const zds = new ZdsServer(config.zdsPath, { clock, log: log.scope('zds'), snapshot: () => registry.snapshot() });
  const applier = new RuleApplier(config.ruleBackend, { run, log: log.scope('rules') });
  const enrollerDeps = { registry, applier, zds, run, clock, log: log.scope('pods') };
  const enroller = new PodEnroller({ rules: config.rules }, enrollerDeps);
  // Connections end before the descriptors that wait in them are closed.
  stops.push(() => enroller.stop());
  stops.push(() => zds.close());
  try {
    const http = await listenAgentHttp(config.socketPath, {
      enroller,
      registry,
      log: log.scope('http'),
      ...(deps.findPod === undefined ? {} : { findPod: deps.findPod }),
    });
    stops.push(() => closeServer(http));
    const probes = await listenReadiness(config.readiness, () => ready);
    stops.push(() => closeServer(probes));
    ready = true;
    const bound = probes.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : config.readiness.port;
    const readiness = { address: config.readiness.address, port };
    return { zdsPath: config.zdsPath, socketPath: config.socketPath, readiness, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
