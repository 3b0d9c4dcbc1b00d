/** Runs a waypoint, configured by its environment. */
import { systemClock } from '../../base/clock.ts';
import { keepProgramSmall } from '../../native/program-memory.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger, standardOutput } from '../../telemetry/logger.ts';
import { startWaypoint } from '../../waypoint/app.ts';
import { readWaypointConfig } from '../../waypoint/config.ts';
import { onShutdownSignal } from '../shutdown.ts';
import { VERSION } from '../version.ts';

/** Starts the waypoint; resolves when it runs. Throws an AmbitError when it cannot start. */
export async function runWaypoint(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = readWaypointConfig(environment);
  const logFilter = new LogFilter(config.logLevel);
  const logger = createLogger({
    format: config.logFormat,
    filter: logFilter,
    destination: standardOutput(systemClock),
  });
  const waypoint = await startWaypoint(config, {
    clock: systemClock,
    random: Math.random,
    logger,
    logFilter,
    version: VERSION,
    onExit: () => process.exit(0),
  });
  onShutdownSignal(() => void waypoint.drain().then(() => process.exit(0)));
  keepProgramSmall(systemClock);
  logger.scope('app').info('waypoint started', { tunnels: waypoint.tunnelPort, readiness: waypoint.readinessPort });
}
