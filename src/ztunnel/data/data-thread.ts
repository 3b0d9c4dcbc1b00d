/** The entry of a data thread's worker. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { AmbitError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger, standardOutput } from '../../telemetry/logger.ts';
import type { ZtunnelConfig } from '../config.ts';
import type { ControlMessage } from '../thread-messages.ts';
import { DataPlane } from './data-plane.ts';

/** What the control thread gives a worker at its start. */
export interface DataThreadInput {
  readonly config: ZtunnelConfig;
}

function runDataThread(): DataPlane {
  const port = parentPort;
  if (port === null) throw new AmbitError('NOT_A_WORKER', 'the data thread runs only as a worker of ambit ztunnel');
  const { config } = workerData as DataThreadInput;
  const filter = new LogFilter(config.logLevel);
  const lines = standardOutput(systemClock);
  const logger = createLogger({ format: config.logFormat, filter, destination: lines });
  containDefects(logger);
  return new DataPlane(
    config,
    {
      post: (message) => port.postMessage(message),
      onMessage: (receive) => void port.on('message', (message: ControlMessage) => receive(message)),
    },
    {
      clock: systemClock,
      random: Math.random,
      logger,
      setLogFilter: (directives) => void filter.update(directives),
      flushLog: () => lines.flushSync(),
    },
  );
}

/** A defect in the handling of one connection is logged with its stack; it must not end every pod's traffic. */
function containDefects(logger: Logger): void {
  const report = (what: string) => (error: unknown) =>
    logger.error(what, { error: errorText(error), stack: error instanceof Error ? error.stack : undefined });
  process.on('uncaughtException', report('internal error'));
  process.on('unhandledRejection', report('internal error in a promise'));
}

runDataThread();
