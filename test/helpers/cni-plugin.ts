/** Runs the CNI plugin as a container runtime does. */
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CNI_BINARY = `${ROOT}build/ambit-cni`;

/** Builds the plugin when it is older than its sources. */
export function buildCni(): void {
  execFileSync(`${ROOT}scripts/build-cni.sh`, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Builds a copy that ends with an error at the first undefined or out-of-bounds access. */
export function buildCniWithSanitizers(path: string): void {
  const flags = ['-std=c11', '-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  execFileSync('sh', ['-c', `cc ${flags.join(' ')} -o "$0" src/cni/*.c`, path], { cwd: ROOT });
}

export interface CniOutcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** One call of the plugin, without any other environment. */
export function runCni(
  environment: Readonly<Record<string, string>>,
  input: string | Uint8Array,
  binary = CNI_BINARY,
): Promise<CniOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [], { env: environment, stdio: 'pipe', timeout: 30_000, killSignal: 'SIGKILL' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', reject);
    child.once('close', (status, signal) => {
      resolve({ status, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
    // A plugin that does not read its input is no failure of the test.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
