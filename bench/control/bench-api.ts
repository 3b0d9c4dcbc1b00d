/** The API server of a bench in its own process, with a folder for what belongs to the bench. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess } from '../end-process.ts';
import type { ApiCommand, ApiReply } from './api-process.ts';
import { askChild, nextReply } from './ask-child.ts';

export class BenchApi implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly #process = fork(join(import.meta.dirname, 'api-process.ts'), [this.kubeconfig], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

  /** Resolves when it serves a cluster of this size. */
  static async start(pods: number, services: number): Promise<BenchApi> {
    const api = new BenchApi();
    try {
      await nextReply(api.#process);
      await api.ask({ kind: 'load', pods, services });
      return api;
    } catch (error) {
      await api[Symbol.asyncDispose]();
      throw error;
    }
  }

  ask(command: ApiCommand): Promise<ApiReply> {
    return askChild(this.#process, command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
