/** The inner half of `ambit up`: the engine, started by the supervisor inside the private namespaces. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { Engine } from '../../local/engine.ts';
import type { EngineContext } from '../../local/engine-context.ts';
import { STOP_GRACE_MS } from '../../local/pod-controller.ts';
import { Progress } from '../../local/progress.ts';
import { RunFolder } from '../../local/run-folder.ts';
import { decodeUpOptions } from '../../local/up-options.ts';
import { raiseFileLimit } from '../../native/sockets.ts';
import { LogFilter } from '../../telemetry/log-filter.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { ambitCommand } from '../ambit-command.ts';

/** What containers see of the machine's environment. */
const MACHINE_VARIABLES = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TERM', 'USER'];

/** An agent that hangs does not keep the mesh up: the kernel takes down what is left. */
const STOP_LIMIT_MS = STOP_GRACE_MS + 3000;

/** Runs the engine until the supervisor says stop. @param initPid first process of the namespaces, as the machine counts */
export async function runInside(environment: NodeJS.ProcessEnv, text: string, initPid: number): Promise<void> {
  const options = decodeUpOptions(text);
  raiseFileLimit();
  const run = new RunFolder(options.runFolder);
  const destination = pino.destination({ dest: join(run.logs, 'up.log'), sync: true });
  const logger = createLogger({
    format: 'plain',
    filter: new LogFilter(environment['AMBIT_UP_LOG'] ?? 'info'),
    destination,
  });
  const terminal = process.stdout.isTTY === true;
  const progress = new Progress({ terminal, quiet: options.quiet }, (line) => process.stdout.write(line));
  const context: EngineContext = {
    run,
    clock: systemClock,
    logger: logger.scope('up'),
    say: (line) => progress.say(line),
    random: Math.random,
    ipv6: existsSync('/proc/sys/net/ipv6'),
    ambit: ambitCommand(),
    environment,
    machineEnv: machineEnvironment(environment),
  };
  const engine = new Engine(options, initPid, context, progress);
  obeySupervisor(engine);
  try {
    await engine.start();
  } catch (error) {
    progress.say(`ambit: ${errorText(error)}`);
    process.exit(1);
  }
}

/** `stop` on standard input ends it gracefully; the end of the input means that the supervisor is gone. */
function obeySupervisor(engine: Engine): void {
  let stopping = false;
  process.stdin.on('data', () => {
    if (stopping) return;
    stopping = true;
    const exit = () => process.exit(0);
    engine.stop(STOP_GRACE_MS).then(exit, exit);
    systemClock.after(STOP_LIMIT_MS, exit);
  });
  process.stdin.on('end', () => process.exit(1));
}

function machineEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of MACHINE_VARIABLES) {
    const value = environment[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
