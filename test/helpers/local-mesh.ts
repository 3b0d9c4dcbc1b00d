/** A mesh that `ambit up` runs for a test, as a process outside, with everything it has put into the system. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { processStartTime, RunFolder, type RunState, readState } from '../../src/local/run-folder.ts';
import { eventually } from './eventually.ts';

const AMBIT = fileURLToPath(new URL('../../bin/ambit', import.meta.url));
const NOBODY = 65534;
const LOG_DELAY_MS = 250;

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a mesh could leave behind on the machine, as text to compare; the mounts of container engines come and go. */
export function machineFootprint(): string {
  const links = readdirSync('/sys/class/net').sort().join(' ');
  const named = readdirNames('/run/netns').join(' ');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const own = mounts.filter((line) => /\snsfs\s|ambit/.test(line));
  return `${links}\n${named}\n${own.join('\n')}`;
}

function readdirNames(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

export class LocalMesh {
  readonly manifests: string;
  readonly run: RunFolder;
  readonly #root = mkdtempSync(join(tmpdir(), 'ambit-up-'));
  readonly #unprivileged: boolean;
  #process: ChildProcess | undefined;
  output = '';

  constructor(options: { readonly unprivileged?: boolean } = {}) {
    this.#unprivileged = options.unprivileged ?? false;
    this.manifests = join(this.#root, 'manifests');
    const runtime = join(this.#root, 'run');
    const own = join(runtime, 'own');
    for (const path of [this.#root, this.manifests, runtime, own]) {
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o777);
    }
    if (this.#unprivileged) this.run = new RunFolder(join(runtime, 'own', 'ambit', 'test'));
    else this.run = new RunFolder(join(runtime, 'ambit', 'test'));
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get state(): RunState | undefined {
    return readState(this.run);
  }

  write(file: string, ...objects: readonly object[]): void {
    writeFileSync(join(this.manifests, file), objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''));
  }

  remove(file: string): void {
    rmSync(join(this.manifests, file));
  }

  /** Starts `ambit up`; resolves when `pods` pods are ready. */
  async up(pods: number, ...flags: readonly string[]): Promise<void> {
    const [program = '', ...args] = this.#as(AMBIT, 'up', this.manifests, '--name', 'test', '--quiet', ...flags);
    this.#process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: this.#environment });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    await eventually(
      'all pods ready',
      () => {
        if (this.#process?.exitCode !== null) throw new Error(`ambit up ended: ${this.output}`);
        return this.readyPods().length === pods;
      },
      30_000,
    );
  }

  readyPods(): RunState['pods'] {
    return this.state?.pods.filter(({ ready }) => ready) ?? [];
  }

  /** `ambit exec` with these arguments. */
  exec(...args: readonly string[]): Promise<ExecResult> {
    return this.ambit(['exec', '--name', 'test', ...args]);
  }

  /** Any command of `ambit`, as the user of the mesh. */
  ambit(args: readonly string[]): Promise<ExecResult> {
    const [program = '', ...rest] = this.#as(AMBIT, ...args);
    return new Promise((resolve) => {
      execFile(program, rest, { env: this.#environment, timeout: 20_000 }, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
        resolve({ status, stdout, stderr });
      });
    });
  }

  /** As `log`, with all that was told before: a proxy writes its lines up to a tenth of a second later. */
  async settledLog(name: RegExp): Promise<string> {
    await delay(LOG_DELAY_MS);
    return this.log(name);
  }

  log(name: RegExp): string {
    const files = readdirNames(this.run.logs).filter((file) => name.test(file));
    return files.map((file) => readFileSync(join(this.run.logs, file), 'utf8')).join('');
  }

  /** Every process of the mesh, as `<pid> <start time>`. */
  processes(): string[] {
    const world = readlinkSync(`/proc/${this.state?.initPid}/ns/pid`);
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && namespaceOf(pid) === world)
      .map((pid) => `${pid} ${processStartTime(pid)}`);
  }

  /** Sends a signal to `ambit up`; resolves with how it ended. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once('exit', (code, by) => resolve(code ?? by));
    });
    process.kill(child.pid ?? 0, signal);
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const world = this.state?.initPid ?? 0;
    await this.end('SIGKILL');
    // Until the kernel has ended all of them, programs of the mesh write into the folder.
    if (world !== 0) await eventually('the end of the world', () => processStartTime(world) === undefined);
    await rm(this.#root, { recursive: true, force: true, maxRetries: 10 });
  }

  get #environment(): NodeJS.ProcessEnv {
    const runtime = join(this.#root, 'run', this.#unprivileged ? 'own' : '');
    return { ...process.env, XDG_RUNTIME_DIR: runtime, HOME: this.#root };
  }

  #as(...command: readonly string[]): readonly string[] {
    const id = String(NOBODY);
    return this.#unprivileged
      ? ['setpriv', '--pdeathsig', 'KILL', '--reuid', id, '--regid', id, '--clear-groups', '--', ...command]
      : ['setpriv', '--pdeathsig', 'KILL', '--', ...command];
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

/** Whether a process of `processes` still lives. */
export function lives(process: string): boolean {
  const [pid = '', startTime] = process.split(' ');
  return processStartTime(Number(pid)) === startTime;
}
