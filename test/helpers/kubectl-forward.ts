/** `kubectl port-forward`, as a person runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const KUBECTL = new URL('../../scripts/cluster/kubectl.sh', import.meta.url).pathname;
const WAIT_MS = 20_000;

export class KubectlForward implements AsyncDisposable {
  /** `http://localhost:PORT`. */
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  /** @param target `svc/NAME` @param port of it */
  static async start(namespace: string, target: string, port: number): Promise<KubectlForward> {
    const args = ['port-forward', '-n', namespace, '--address', '127.0.0.1', target, `:${port}`];
    const child = spawn(KUBECTL, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const local = await new Promise<string>((resolve, reject) => {
      let output = '';
      const late = setTimeout(() => reject(new Error(`kubectl port-forward said only: ${output}`)), WAIT_MS);
      const onData = (chunk: Buffer) => {
        output += chunk.toString();
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
        if (found === undefined) return;
        clearTimeout(late);
        resolve(found);
      };
      child.stdout?.on('data', onData);
      child.stderr?.on('data', onData);
    });
    return new KubectlForward(`http://localhost:${local}`, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}
