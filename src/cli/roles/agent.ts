/** The process of `ambit agent`. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startAgent } from '../../agent/app.ts';
import { parseAgentConfig } from '../../agent/config.ts';
import { systemClock } from '../../base/clock.ts';
import { KubeClient } from '../../kube/kube-client.ts';
import { inClusterConfig } from '../../kube/kube-config.ts';
import { keepProgramSmall } from '../../native/program-memory.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger, standardOutput } from '../../telemetry/logger.ts';
import { onShutdownSignal } from '../shutdown.ts';

/** The flags of the command. */
export interface AgentFlags {
  readonly ztunnelUdsAddress?: string;
  readonly cniEventAddress?: string;
  readonly readinessAddress?: string;
  readonly monitoringAddress?: string;
  readonly ruleBackend?: string;
  readonly nodeName?: string;
  readonly cniNetDir?: string;
  readonly cniBinDir?: string;
  readonly stateDir?: string;
}

/** Built next to the native addon. */
const CNI_BINARY = fileURLToPath(new URL('../../../build/ambit-cni', import.meta.url));

/** Runs until a signal ends it. @throws AmbitError when it cannot start */
export async function runAgent(flags: AgentFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const format = environment['LOG_FORMAT'] === 'json' ? 'json' : 'plain';
  const log = createLogger({
    format,
    filter: new LogFilter(environment['LOG_LEVEL'] ?? 'info'),
    destination: standardOutput(systemClock),
  });
  const config = parseAgentConfig(flagArguments(flags), { CNI_BINARY, ...environment });
  const client = config.cluster === undefined ? undefined : await clusterClient(environment);
  const agent = await startAgent(config, { log, ...(client === undefined ? {} : { client }) });
  const node = config.cluster?.nodeName;
  log.info('agent started', { socket: agent.socketPath, zds: agent.zdsPath, node });
  keepProgramSmall(systemClock);
  onShutdownSignal(() => void agent.stop().then(() => process.exit(0)));
}

async function clusterClient(environment: NodeJS.ProcessEnv): Promise<KubeClient> {
  const config = await inClusterConfig(environment, (path) => readFile(path, 'utf8'));
  return new KubeClient(config, { clock: systemClock });
}

function flagArguments(flags: AgentFlags): string[] {
  const named: Readonly<Record<string, string | undefined>> = {
    'ztunnel-uds-address': flags.ztunnelUdsAddress,
    'cni-event-address': flags.cniEventAddress,
    'readiness-address': flags.readinessAddress,
    'monitoring-address': flags.monitoringAddress,
    'rule-backend': flags.ruleBackend,
    'node-name': flags.nodeName,
    'cni-net-dir': flags.cniNetDir,
    'cni-bin-dir': flags.cniBinDir,
    'state-dir': flags.stateDir,
  };
  return Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}
