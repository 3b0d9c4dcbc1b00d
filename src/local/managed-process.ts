/** A program that is kept running: its output goes to a file, and it is started again with backoff when it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { MeshAgent } from '../model/mesh-agent.ts';

export interface ManagedProcessOptions {
  /** For log lines. */
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly logFile: string;
}

export interface ManagedProcessDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shows a line to the person in front of the terminal. */
  readonly say: (line: string) => void;
  /** Called after each start but the first. */
  readonly onRestart?: () => void;
}

/** A run this long was no crash loop: the next restart is quick again. */
const STABLE_MS = 10_000;

export class ManagedProcess {
  readonly #options: ManagedProcessOptions;
  readonly #deps: ManagedProcessDeps;
  readonly #backoff = new Backoff({ initialMs: 200, maxMs: 10_000 });
  #child: ChildProcess | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  #restarts = 0;
  #lastExit = '';
  #lastExitMs: number | undefined;

  constructor(options: ManagedProcessOptions, deps: ManagedProcessDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How often it was started again, and how and when it ended last, by wall clock. */
  get history(): Pick<MeshAgent, 'restarts' | 'lastExit' | 'lastExitMs'> {
    return { restarts: this.#restarts, lastExit: this.#lastExit, lastExitMs: this.#lastExitMs };
  }

  start(): void {
    const { command, environment, logFile } = this.#options;
    const [program = '', ...args] = command;
    const output = openSync(logFile, 'a', 0o600);
    const startedMs = this.#deps.clock.monotonicMs();
    const child = spawn(program, args, { stdio: ['ignore', output, output], env: environment });
    closeSync(output);
    this.#child = child;
    let ended = false;
    const onEnd = (reason: string) => {
      if (ended) return;
      ended = true;
      this.#ended(reason, this.#deps.clock.monotonicMs() - startedMs);
    };
    child.once('error', (error) => onEnd(errorText(error)));
    child.once('exit', (code, signal) => onEnd(signal ?? `status ${code}`));
  }

  /** Asks the program to end and does not start it again. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#child?.kill('SIGTERM');
  }

  #ended(reason: string, ranMs: number): void {
    this.#child = undefined;
    if (this.#stopped) return;
    this.#lastExit = reason;
    this.#lastExitMs = this.#deps.clock.nowMs();
    if (ranMs >= STABLE_MS) this.#backoff.reset();
    const delayMs = this.#backoff.next();
    const { name, logFile } = this.#options;
    this.#deps.logger.warn('program ended, starting it again', { name, reason, delay: `${delayMs}ms`, log: logFile });
    this.#deps.say(`${name} ended (${reason}) and is started again: ${logFile}`);
    this.#timer = this.#deps.clock.after(delayMs, () => {
      if (this.#stopped) return;
      this.#restarts += 1;
      this.start();
      this.#deps.onRestart?.();
    });
  }
}
