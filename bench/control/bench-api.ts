/** The API server of a bench in its own process, with a folder for what belongs to the bench. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiCommand, ApiReply } from './api-process.ts';

export class BenchApi implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly #process = fork(join(import.meta.dirname, 'api-process.ts'), [this.kubeconfig], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

  /** Resolves when it serves a cluster of this size. */
  static async start(pods: number, services: number): Promise<BenchApi> {
    const api = new BenchApi();
    await once(api.#process, 'message');
    await api.ask({ kind: 'load', pods, services });
    return api;
  }

  async ask(command: ApiCommand): Promise<ApiReply> {
    const reply = once(this.#process, 'message');
    this.#process.send(command);
    const [value] = (await reply) as [ApiReply];
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends a program of the bench, if it runs. */
export async function endProcess(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
