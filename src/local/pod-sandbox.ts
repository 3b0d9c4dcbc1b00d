/**
 * The namespaces of one pod and the process that holds them: its own mounts for the files that name resolution reads, its
 * own host name, the network namespace that was made before.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AmbitError, errorText } from '../base/errors.ts';
import { DNS_ADDRESS } from './network-plan.ts';

export interface SandboxOptions {
  readonly name: string;
  readonly namespace: string;
  readonly netns: string;
  readonly podIps: readonly string[];
  /** Folder for the pod's own files. */
  readonly folder: string;
}

const HOLD = `
for f in resolv.conf hosts hostname; do
  if [ -e "/etc/$f" ]; then mount --bind "$2/$f" "/etc/$f"; fi
done
echo "$1" > /proc/sys/kernel/hostname || true
echo ready
exec sleep infinity
`;
const START_TIMEOUT_MS = 10_000;

export class PodSandbox {
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves when containers can start in it. @throws AmbitError SANDBOX_FAILED */
  static async create(options: SandboxOptions): Promise<PodSandbox> {
    const { name, folder, netns } = options;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    for (const [file, text] of Object.entries(sandboxFiles(options))) writeFileSync(join(folder, file), text);
    const own = ['unshare', '--mount', '--uts', 'sh', '-eu', '-c', HOLD, 'ambit-pod', name, folder];
    const child = spawn('nsenter', [`--net=${netns}`, ...own], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const sandbox = new PodSandbox(child, folder);
    try {
      await ready(child, name);
    } catch (error) {
      sandbox.remove();
      throw error;
    }
    return sandbox;
  }

  /** The process that holds the namespaces. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** nsenter(1) arguments that enter the pod. */
  get enterArguments(): readonly string[] {
    return ['--target', String(this.pid), '--mount', '--net', '--uts'];
  }

  /** Ends every process that is left in the pod, then the holder. */
  remove(): void {
    for (const pid of this.#inhabitants()) kill(pid);
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Processes with the pod's mounts, children that left their group included. Proxies never have them. */
  #inhabitants(): number[] {
    const own = mountsOf(this.pid);
    if (own === undefined || own === mountsOf(process.pid)) return [];
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid !== this.pid && mountsOf(pid) === own);
  }
}

function sandboxFiles({ name, namespace, podIps }: SandboxOptions): Record<string, string> {
  const search = [`${namespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local'].join(' ');
  const own = podIps.map((ip) => `${ip}\t${name}\n`).join('');
  return {
    'resolv.conf': `nameserver ${DNS_ADDRESS}\nsearch ${search}\noptions ndots:5\n`,
    hosts: `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${own}`,
    hostname: `${name}\n`,
  };
}

function mountsOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // The process has ended.
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function ready(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (reason: string) =>
      reject(new AmbitError('SANDBOX_FAILED', `pod ${name}: its namespaces cannot be set up: ${reason}`));
    const timer = setTimeout(() => fail(`not ready in ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    child.once('error', (error) => fail(errorText(error)));
    child.once('exit', () => {
      clearTimeout(timer);
      fail(said.trim() || 'its first process ended');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stdout?.once('data', () => {
      clearTimeout(timer);
      child.removeAllListeners('exit');
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve();
    });
  });
}
