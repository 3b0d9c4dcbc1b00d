/** Bytes as they pass a link, to show what never passes it. Needs tcpdump. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface WireCaptureOptions {
  /** Network namespace of the link. */
  readonly netns: string;
  readonly link: string;
  /** Of pcap-filter(7). */
  readonly filter: string;
  /** Texts that are looked for; each has to be sent in one packet. */
  readonly markers: readonly string[];
}

export class WireCapture implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #markers: readonly Buffer[];
  readonly #seen = new Set<string>();
  readonly #keepBytes: number;
  #tail = Buffer.alloc(0);
  #report = '';
  bytes = 0;

  private constructor({ netns, link, filter, markers }: WireCaptureOptions) {
    this.#markers = markers.map((marker) => Buffer.from(marker));
    this.#keepBytes = Math.max(...this.#markers.map(({ length }) => length));
    const tcpdump = ['tcpdump', '-i', link, '-w', '-', '-U', '-B', '65536', '-Z', 'root', filter];
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', `--net=${netns}`, ...tcpdump]);
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#search(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#report += chunk.toString();
    });
  }

  /** Resolves when packets are being captured. */
  static async start(options: WireCaptureOptions): Promise<WireCapture> {
    const capture = new WireCapture(options);
    const { stdout } = capture.#child;
    const ended = once(capture.#child, 'exit').then(() => Promise.reject(new Error(`no capture: ${capture.#report}`)));
    // The header of the file comes when the link is open.
    if (stdout !== null) await Promise.race([once(stdout, 'data'), ended]);
    ended.catch(() => undefined);
    return capture;
  }

  /** Whether a marker has passed. */
  saw(marker: string): boolean {
    return this.#seen.has(marker);
  }

  /** Ends the capture. @returns how many packets the kernel could not keep for it */
  async stop(): Promise<number> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close');
      this.#child.kill('SIGINT');
      await closed;
    }
    const dropped = /(\d+) packets? dropped by kernel/.exec(this.#report)?.[1];
    if (dropped === undefined) throw new Error(`no report of the capture: ${this.#report}`);
    return Number(dropped);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
  }

  #search(chunk: Buffer): void {
    this.bytes += chunk.length;
    const text = Buffer.concat([this.#tail, chunk]);
    for (const marker of this.#markers) if (text.includes(marker)) this.#seen.add(marker.toString());
    this.#tail = text.subarray(-this.#keepBytes);
  }
}
