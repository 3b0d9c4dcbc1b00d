/**
 * The data threads as the control thread sees them: broadcasts, and requests that all of them answer.
 *
 * Invariant: a thread that dies ends the process: its pods would otherwise be neither served nor refused.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { TapRecord } from '../telemetry/tap.ts';
import type { ZtunnelConfig } from './config.ts';
import { DataPlane, type DataPlaneDeps } from './data/data-plane.ts';
import type { DataThreadInput } from './data/data-thread.ts';
import type { ControlMessage, DataAnswers, DataMessage } from './thread-messages.ts';

type Request = Extract<ControlMessage, { request: number }>;
type RequestOf<T extends keyof DataAnswers> = Omit<Extract<Request, { type: T }>, 'request'>;

interface Thread {
  post(message: ControlMessage): void;
  close(): Promise<void>;
}

export interface DataThreadsDeps {
  onCertificateWanted(identity: Extract<DataMessage, { type: 'certificate-wanted' }>['identity']): void;
  /** A thread needs what has this key (`XDS_ON_DEMAND`). */
  onAddressWanted(key: string): void;
  /** See `tapped` of DataMessage. */
  onTapped(record: TapRecord, skipped: number): void;
  onDeath(error: Error): void;
}

export class DataThreads {
  readonly #threads: Thread[] = [];
  readonly #pending = new Map<number, { left: number; answers: unknown[]; resolve(answers: unknown[]): void }>();
  readonly #deps: DataThreadsDeps;
  #lastRequest = 0;
  #closing = false;
  #inThread = false;

  constructor(deps: DataThreadsDeps) {
    this.#deps = deps;
  }

  /** Starts `count` workers. */
  startWorkers(config: ZtunnelConfig, count: number): void {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const entry = new URL(`./data/data-thread.${extension}`, import.meta.url);
    for (let index = 0; index < count; index++) {
      const workerData: DataThreadInput = { config };
      const worker = new Worker(entry, { workerData, name: `data-${index}` });
      worker.on('message', (message: DataMessage) => this.#receive(message));
      worker.on('error', (error) => this.#deps.onDeath(error));
      worker.on('exit', (code) => {
        if (!this.#closing) this.#deps.onDeath(new Error(`data thread ${index} exited with code ${code}`));
      });
      this.#threads.push({
        post: (message) => worker.postMessage(message),
        close: async () => void (await worker.terminate()),
      });
    }
  }

  /** Runs the data plane in this thread: one thread less to pay for, and easy to debug. */
  startInThread(config: ZtunnelConfig, deps: DataPlaneDeps): void {
    this.#inThread = true;
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (message: DataMessage) => this.#receive(message));
    const plane = new DataPlane(
      config,
      {
        post: (message) => port2.postMessage(message),
        onMessage: (receive) => void port2.on('message', receive),
      },
      deps,
    );
    this.#threads.push({
      post: (message) => port1.postMessage(message),
      close: async () => {
        await plane.close();
        port1.close();
      },
    });
  }

  broadcast(message: Exclude<ControlMessage, Request>): void {
    for (const thread of this.#threads) thread.post(message);
  }

  /** Whether the data plane runs in the calling thread. */
  get shareCaller(): boolean {
    return this.#inThread;
  }

  /** Asks every thread and resolves with all answers. */
  request<T extends keyof DataAnswers>(message: RequestOf<T> & { type: T }): Promise<DataAnswers[T][]> {
    if (this.#threads.length === 0) return Promise.resolve([]);
    const request = ++this.#lastRequest;
    return new Promise((resolve) => {
      const settle = resolve as (answers: unknown[]) => void;
      this.#pending.set(request, { left: this.#threads.length, answers: [], resolve: settle });
      for (const thread of this.#threads) thread.post({ ...message, request } as unknown as Request);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #receive(message: DataMessage): void {
    if (message.type === 'certificate-wanted') return this.#deps.onCertificateWanted(message.identity);
    if (message.type === 'address-wanted') return this.#deps.onAddressWanted(message.key);
    if (message.type === 'tapped') return this.#deps.onTapped(message.record, message.skipped);
    const pending = this.#pending.get(message.request);
    if (pending === undefined) return;
    pending.answers.push(message.body);
    pending.left--;
    if (pending.left > 0) return;
    this.#pending.delete(message.request);
    pending.resolve(pending.answers);
  }
}
