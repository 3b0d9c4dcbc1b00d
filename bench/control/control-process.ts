/** A control plane as it runs in a pod, on the API server of the bench. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/helpers/direct-ztunnel.ts';
import type { ApiCommand, ApiReply } from './api-process.ts';
import { BenchApi, endProcess } from './bench-api.ts';

const AMBIT = join(import.meta.dirname, '../../bin/ambit');
const READY_LIMIT_MS = 120_000;

export class ControlUnderTest implements AsyncDisposable {
  readonly #api: BenchApi;
  #control: ChildProcess | undefined;
  grpcPort = 0;
  readyMs = 0;

  private constructor(api: BenchApi) {
    this.#api = api;
  }

  /** Resolves when the control plane serves a cluster of this size. */
  static async start(pods: number, services: number): Promise<ControlUnderTest> {
    const bench = new ControlUnderTest(await BenchApi.start(pods, services));
    await bench.#startControl();
    return bench;
  }

  get pid(): number {
    return this.#control?.pid ?? 0;
  }

  ask(command: ApiCommand): Promise<ApiReply> {
    return this.#api.ask(command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#control);
    await this.#api[Symbol.asyncDispose]();
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
    const startedMs = performance.now();
    this.#control = spawn(AMBIT, ['control', '--kubeconfig', this.#api.kubeconfig, '--host', '127.0.0.1', ...flags], {
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
