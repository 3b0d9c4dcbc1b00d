/** A control plane as it runs in a pod, on the API server of the bench. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/helpers/direct-ztunnel.ts';
import type { ApiCommand, ApiReply } from './api-process.ts';

const AMBIT = join(import.meta.dirname, '../../bin/ambit');
const READY_LIMIT_MS = 120_000;

export class ControlUnderTest implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ambit-bench-control-'));
  readonly #api: ChildProcess;
  #control: ChildProcess | undefined;
  grpcPort = 0;
  readyMs = 0;

  private constructor() {
    const file = join(import.meta.dirname, 'api-process.ts');
    this.#api = fork(file, [join(this.#folder, 'kubeconfig')], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Resolves when the control plane serves a cluster of this size. */
  static async start(pods: number, services: number): Promise<ControlUnderTest> {
    const bench = new ControlUnderTest();
    await once(bench.#api, 'message');
    await bench.ask({ kind: 'load', pods, services });
    await bench.#startControl();
    return bench;
  }

  get pid(): number {
    return this.#control?.pid ?? 0;
  }

  async ask(command: ApiCommand): Promise<ApiReply> {
    const reply = once(this.#api, 'message');
    this.#api.send(command);
    const [value] = (await reply) as [ApiReply];
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#control, this.#api]) {
      if (child === undefined || child.exitCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startControl(): Promise<void> {
    this.grpcPort = await freePort();
    const httpPort = await freePort();
    const ports = {
      'grpc-port': this.grpcPort,
      'http-port': httpPort,
      'monitoring-port': await freePort(),
      'webhook-port': await freePort(),
    };
    const flags = Object.entries(ports).flatMap(([name, port]) => [`--${name}`, String(port)]);
    const kubeconfig = join(this.#folder, 'kubeconfig');
    const startedMs = performance.now();
    this.#control = spawn(AMBIT, ['control', '--kubeconfig', kubeconfig, '--host', '127.0.0.1', ...flags], {
      env: { ...process.env, POD_NAME: 'bench', POD_NAMESPACE: 'istio-system' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    while (!(await isReady(httpPort))) {
      if (performance.now() - startedMs > READY_LIMIT_MS) throw new Error('the control plane does not get ready');
      await delay(20);
    }
    this.readyMs = performance.now() - startedMs;
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`)).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}
