/** Runs the node proxy, configured by its environment (facts ztunnel-wire 13). */
import { systemClock } from '../../base/clock.ts';
import { keepProgramSmall } from '../../native/program-memory.ts';
import { raiseFileLimit } from '../../native/sockets.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger, standardOutput } from '../../telemetry/logger.ts';
import { startZtunnel } from '../../ztunnel/app.ts';
import { readZtunnelConfig } from '../../ztunnel/config.ts';
import { onShutdownSignal } from '../shutdown.ts';
import { VERSION } from '../version.ts';

/** Starts ztunnel; resolves when it runs. Throws an AmbitError when it cannot start. */
export async function runZtunnel(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = readZtunnelConfig(environment);
  const logFilter = new LogFilter(config.logLevel);
  const logger = createLogger({
    format: config.logFormat,
    filter: logFilter,
    destination: standardOutput(systemClock),
  });
  raiseFileLimit();
  const ztunnel = await startZtunnel(config, {
    clock: systemClock,
    random: Math.random,
    logger,
    logFilter,
    version: { version: VERSION, istioVersion: 'unknown', nodeVersion: process.versions.node },
    onExit: (code) => process.exit(code),
  });
  onShutdownSignal(() => void ztunnel.drain());
  keepProgramSmall(systemClock);
  logger.scope('app').info('ztunnel started', {
    admin: ztunnel.adminPort,
    metrics: ztunnel.metricsPort,
    readiness: ztunnel.readinessPort,
  });
}
