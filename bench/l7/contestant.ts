/** What takes part in the L7 bench, and the programs that are started for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { ENDS_WITH_BENCH, endProcess } from '../end-process.ts';
import { LOAD_CORE, onCore } from '../l4/process-cost.ts';

export interface Contestant {
  readonly name: string;
  /** Where load is sent to, without a path. */
  readonly url: string;
  /** Of its proxies. */
  readonly pids: readonly number[];
  /** Runs a load generator where its clients are; the text that it prints. */
  run(...command: string[]): Promise<string>;
}

/** Programs that end with the bench. */
export class Programs {
  readonly #children: ChildProcess[] = [];

  /** Starts one on a core. @returns its process id */
  start(core: number, ...command: string[]): number {
    const args = [...onCore(core), ...ENDS_WITH_BENCH, ...command];
    const child = spawn('taskset', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#children.push(child);
    return child.pid ?? 0;
  }

  /** Their ports are free when it is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(endProcess));
  }
}

/** Runs a program beside the load. @throws Error when it fails */
export function runOnLoadCore(...command: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = [...onCore(LOAD_CORE), ...ENDS_WITH_BENCH, ...command];
    const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve(text + errors);
      else reject(new Error(`${command.join(' ')} exited ${code}: ${errors}`));
    });
  });
}
