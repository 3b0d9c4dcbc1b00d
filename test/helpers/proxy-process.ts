/** A ztunnel in a process of its own, for tests that watch what it holds while it is attacked. Needs `make build`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

const AMBIT = fileURLToPath(new URL('../../bin/ambit', import.meta.url));

export class ProxyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** What it said. */
  output = '';

  private constructor(env: Readonly<Record<string, string>>) {
    // The script replaces itself by the program, so that the process id is that of the proxy.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', AMBIT, 'ztunnel'], { env: { ...process.env, ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** Starts in dedicated mode, with a static configuration and the network namespace of this process. */
  static async start(localXds: string, env: Readonly<Record<string, string>>): Promise<ProxyProcess> {
    const proxy = new ProxyProcess({
      FAKE_CA: 'true',
      XDS_ADDRESS: '',
      LOCAL_XDS: localXds,
      PROXY_MODE: 'dedicated',
      UNSTABLE_ENABLE_SOCKS5: 'true',
      ISTIO_META_DNS_CAPTURE: 'false',
      ENABLE_ORIG_SRC: 'false',
      RUST_LOG: 'error,app=info',
      ...env,
    });
    await eventually('ztunnel has started', () => {
      if (!proxy.running) throw new Error(`ztunnel ended: ${proxy.output}`);
      return proxy.output.includes('ztunnel started');
    });
    return proxy;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resident memory. */
  rssBytes(): number {
    const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes) * 1024;
  }

  /** Open descriptors. */
  descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
