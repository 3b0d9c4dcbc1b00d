/** The process of `ambit agent`. */
import { startAgent } from '../../agent/app.ts';
import { parseAgentConfig } from '../../agent/config.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { onShutdownSignal } from '../shutdown.ts';

/** The flags of the command. */
export interface AgentFlags {
  readonly ztunnelUdsAddress?: string;
  readonly cniEventAddress?: string;
  readonly readinessAddress?: string;
  readonly ruleBackend?: string;
}

/** Runs until a signal ends it. @throws AmbitError when it cannot start */
export async function runAgent(flags: AgentFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const format = environment['LOG_FORMAT'] === 'json' ? 'json' : 'plain';
  const logger = createLogger({ format, filter: new LogFilter(environment['LOG_LEVEL'] ?? 'info') });
  const agent = await startAgent(parseAgentConfig(flagArguments(flags), environment), { log: logger });
  logger.info('agent started', { socket: agent.socketPath, zds: agent.zdsPath });
  onShutdownSignal(() => void agent.stop().then(() => process.exit(0)));
}

function flagArguments(flags: AgentFlags): string[] {
  const named: Readonly<Record<string, string | undefined>> = {
    'ztunnel-uds-address': flags.ztunnelUdsAddress,
    'cni-event-address': flags.cniEventAddress,
    'readiness-address': flags.readinessAddress,
    'rule-backend': flags.ruleBackend,
  };
  return Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}
