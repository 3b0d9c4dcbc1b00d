/** A real Prometheus on this machine, as Debian has it, with a configuration of the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export class PrometheusServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #port: number;
  readonly #process: ChildProcess;
  #log = '';

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.#folder = folder;
    this.#port = port;
    this.#process = process;
    process.stderr?.on('data', (chunk: Buffer) => {
      this.#log = `${this.#log}${chunk.toString()}`.slice(-4000);
    });
  }

  /** @param configuration as in its YAML, of which JSON is a part */
  static async start(configuration: object): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'ambit-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    writeFileSync(file, JSON.stringify(configuration));
    const port = await freePort();
    const flags = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ];
    return new PrometheusServer(
      folder,
      port,
      spawn('/usr/bin/prometheus', flags, { stdio: ['ignore', 'ignore', 'pipe'] }),
    );
  }

  /** The answer to a question. @throws Error with what it says against the question, or while it starts */
  async query(text: string): Promise<readonly Sample[]> {
    const { data, error } = await this.#get<{ result: readonly Sample[] }>(`query?query=${encodeURIComponent(text)}`);
    if (error !== undefined) throw new Error(`${text}: ${error}`);
    return data.result;
  }

  /** The one number of an answer; 0 for none. */
  async value(text: string): Promise<number> {
    return Number((await this.query(text))[0]?.value[1] ?? 0);
  }

  /** What it scrapes: labels, and why not. */
  async targets(): Promise<readonly Target[]> {
    return (await this.#get<{ activeTargets: readonly Target[] }>('targets?state=active')).data.activeTargets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true });
  }

  async #get<T>(path: string): Promise<{ readonly data: T; readonly error?: string }> {
    if (this.#process.exitCode !== null) throw new Error(`Prometheus has ended: ${this.#log}`);
    const answer = await fetch(`http://127.0.0.1:${this.#port}/api/v1/${path}`, { signal: AbortSignal.timeout(5000) });
    return (await answer.json()) as { data: T; error?: string };
  }
}

export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapeUrl: string;
  readonly health: string;
  readonly lastError: string;
  readonly lastScrapeDuration: number;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
