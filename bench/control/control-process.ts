/** A control plane as it runs in a pod, on the API server of the bench. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/helpers/direct-ztunnel.ts';
import { endProcess } from '../end-process.ts';
import type { ApiCommand, ApiReply } from './api-process.ts';
import { BenchApi } from './bench-api.ts';

const AMBIT = join(import.meta.dirname, '../../bin/ambit');
const READY_LIMIT_MS = 120_000;

export class ControlUnderTest implements AsyncDisposable {
  readonly #api: BenchApi;
  readonly #ports: Readonly<Record<'grpc-port' | 'http-port' | 'monitoring-port' | 'webhook-port', number>>;
  #control: ChildProcess | undefined;
  rootsPem = '';
  readyMs = 0;

  private constructor(api: BenchApi, ports: readonly number[]) {
    const [grpc = 0, http = 0, monitoring = 0, webhook = 0] = ports;
    this.#api = api;
    this.#ports = { 'grpc-port': grpc, 'http-port': http, 'monitoring-port': monitoring, 'webhook-port': webhook };
  }

  /** Resolves when the control plane serves a cluster of this size. */
  static async start(pods: number, services: number): Promise<ControlUnderTest> {
    const api = await BenchApi.start(pods, services);
    const bench = new ControlUnderTest(api, await Promise.all([freePort(), freePort(), freePort(), freePort()]));
    try {
      await bench.#startControl();
      const roots = await api.ask({ kind: 'roots' });
      bench.rootsPem = roots.kind === 'roots' ? roots.pem : '';
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where proxies connect. */
  get port(): number {
    return this.#ports['grpc-port'];
  }

  get readyUrl(): string {
    return `http://127.0.0.1:${this.#ports['http-port']}/ready`;
  }

  /** Ends it without a word, and starts it again at the same place. Resolves when it serves. */
  async restart(): Promise<void> {
    await endProcess(this.#control);
    await this.#startControl();
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
    const flags = Object.entries(this.#ports).flatMap(([name, port]) => [`--${name}`, String(port)]);
    const startedMs = performance.now();
    this.#control = spawn(AMBIT, ['control', '--kubeconfig', this.#api.kubeconfig, '--host', '127.0.0.1', ...flags], {
      env: { ...process.env, POD_NAME: 'bench', POD_NAMESPACE: 'istio-system' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    while (!(await isReady(this.readyUrl))) {
      const { exitCode, signalCode } = this.#control;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`the control plane ended: ${exitCode ?? signalCode}`);
      if (performance.now() - startedMs > READY_LIMIT_MS) throw new Error('the control plane does not get ready');
      await delay(20);
    }
    this.readyMs = performance.now() - startedMs;
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}
