/** The API server of a bench in its own process, with a folder for what belongs to the bench. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess } from '../end-process.ts';
import type { ApiCommand, ApiReply } from './api-process.ts';
import { askChild, nextReply } from './ask-child.ts';

export class BenchApi implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly #process: ChildProcess;

  private constructor(runner: readonly string[]) {
    const [execPath = process.execPath, ...execArgv] = runner;
    this.#process = fork(join(import.meta.dirname, 'api-process.ts'), [this.kubeconfig], {
      execPath,
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** Resolves when it serves a cluster of this size. */
  static start(pods: number, services: number): Promise<BenchApi> {
    return BenchApi.#start([process.execPath], pods, services);
  }

  /** In a network namespace of its own, on the loopback of that: `netns` is where its clients have to be. */
  static startApart(pods: number, services: number): Promise<BenchApi> {
    const script = 'ip link set lo up && exec "$@"';
    return BenchApi.#start(['unshare', '--net', 'sh', '-c', script, 'sh', process.execPath], pods, services);
  }

  static async #start(runner: readonly string[], pods: number, services: number): Promise<BenchApi> {
    const api = new BenchApi(runner);
    try {
      await nextReply(api.#process);
      await api.ask({ kind: 'load', pods, services });
      return api;
    } catch (error) {
      await api[Symbol.asyncDispose]();
      throw error;
    }
  }

  get netns(): string {
    return `/proc/${this.#process.pid}/ns/net`;
  }

  ask(command: ApiCommand): Promise<ApiReply> {
    return askChild(this.#process, command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
