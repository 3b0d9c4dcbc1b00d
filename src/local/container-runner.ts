/** Runs the command of one container inside its pod and starts it again after the pod's restart policy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { Backoff } from '../base/backoff.ts';
import { type Clock, sleep, type Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Container, RestartPolicy } from '../model/manifest/pod.ts';
import { containerCommand, containerEnv, type PodFields } from './container-env.ts';
import type { PodSandbox } from './pod-sandbox.ts';

export type ContainerState =
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'ended'; readonly succeeded: boolean };

export interface ContainerOptions {
  readonly container: Container;
  readonly pod: PodFields;
  readonly folder: string;
  readonly restartPolicy: RestartPolicy;
  readonly logFile: string;
  /** The variables of the machine that containers see. */
  readonly machineEnv: Readonly<Record<string, string>>;
}

export interface ContainerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sandbox: PodSandbox;
  readonly onChange: () => void;
  /** Shows the first end of a series of them to the user. */
  readonly say: (line: string) => void;
}

const RESTART_INITIAL_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A run this long starts the backoff over. */
const STABLE_MS = 30_000;
const RUN = 'cd -- "$0" && exec "$@"';

export class ContainerRunner {
  readonly name: string;
  readonly folder: string;
  readonly env: ReadonlyMap<string, string>;
  readonly #options: ContainerOptions;
  readonly #deps: ContainerDeps;
  readonly #backoff = new Backoff({ initialMs: RESTART_INITIAL_MS, maxMs: RESTART_MAX_MS });
  #state: ContainerState = { kind: 'waiting', reason: 'ContainerCreating' };
  #child: ChildProcess | undefined;
  #timer: Timer | undefined;
  #stopping = false;
  #restarts = 0;
  #lastExit = '';
  /** Whether the present series of ends was shown. */
  #shown = false;

  constructor(options: ContainerOptions, deps: ContainerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.name = options.container.name;
    this.folder = resolvePath(options.folder, options.container.workingDir);
    this.env = new Map([...Object.entries(options.machineEnv), ...containerEnv(options.container, options.pod)]);
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** `status 3`, a signal, or why it could not be started; empty while it never ended. */
  get lastExit(): string {
    return this.#lastExit;
  }

  start(): void {
    const { container, logFile } = this.#options;
    const { logger, sandbox, clock } = this.#deps;
    const command = containerCommand(container, this.env);
    if (command === undefined) {
      logger.warn('container has no command: images are not run here', { container: this.#title() });
      return this.#setState({ kind: 'waiting', reason: 'NoCommand' });
    }
    const output = openSync(logFile, 'a', 0o600);
    const startedMs = clock.monotonicMs();
    const child = spawn('nsenter', [...sandbox.enterArguments, '--', 'sh', '-c', RUN, this.folder, ...command], {
      stdio: ['ignore', output, output],
      env: Object.fromEntries(this.env),
      detached: true,
    });
    let ended = false;
    const onEnd = (reason: string, succeeded: boolean) => {
      if (ended) return;
      ended = true;
      if (!this.#stopping) writeSync(output, `ambit: container ended (${reason})\n`);
      closeSync(output);
      this.#ended(reason, succeeded, clock.monotonicMs() - startedMs);
    };
    child.once('error', (error) => onEnd(errorText(error), false));
    child.once('exit', (code, signal) => onEnd(signal ?? `status ${code}`, code === 0));
    this.#child = child;
    this.#setState({ kind: 'running', pid: child.pid ?? 0 });
  }

  /** SIGTERM to its process group, then SIGKILL after the grace. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#timer?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    signalGroup(child, 'SIGTERM');
    await Promise.race([ended, sleep(this.#deps.clock, graceMs)]);
    signalGroup(child, 'SIGKILL');
  }

  #ended(reason: string, succeeded: boolean, ranMs: number): void {
    this.#child = undefined;
    this.#lastExit = reason;
    const { restartPolicy } = this.#options;
    const again = restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && !succeeded);
    if (this.#stopping || !again) return this.#setState({ kind: 'ended', succeeded });
    if (ranMs >= STABLE_MS) {
      this.#backoff.reset();
      this.#shown = false;
    }
    const delayMs = this.#backoff.next();
    this.#show(reason);
    const fields = { container: this.#title(), reason, delay: `${delayMs}ms`, log: this.#options.logFile };
    this.#deps.logger.warn('container ended, starting it again', fields);
    this.#timer = this.#deps.clock.after(delayMs, () => {
      if (this.#stopping) return;
      this.#restarts++;
      this.start();
    });
    this.#setState({ kind: 'waiting', reason: 'CrashLoopBackOff' });
  }

  #show(reason: string): void {
    if (this.#shown) return;
    this.#shown = true;
    this.#deps.say(`${this.#title()} ended (${reason}) and is started again: ${this.#options.logFile}`);
  }

  #title(): string {
    const { pod } = this.#options;
    return `${pod.namespace}/${pod.name}/${this.name}`;
  }

  #setState(state: ContainerState): void {
    this.#state = state;
    this.#deps.onChange();
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has ended.
  }
}
