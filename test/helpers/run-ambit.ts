/** Runs `ambit` as a process of its own, with a kubeconfig of a fake API server. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '../../src/kube/kube-config.ts';

const AMBIT = new URL('../../src/bin/ambit.ts', import.meta.url).pathname;

export interface AmbitResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param closeStdout whether the reader of its output goes away after the first bytes */
export async function runAmbit(args: readonly string[], kube?: KubeConfig, closeStdout = false): Promise<AmbitResult> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-cli-'));
  try {
    const file = join(folder, 'kubeconfig');
    if (kube !== undefined) writeFileSync(file, JSON.stringify(await kubeconfigText(kube)));
    // A folder of its own for meshes, too: whoever runs the tests may have one up.
    const own = { PATH: process.env['PATH'] ?? '', HOME: folder, XDG_RUNTIME_DIR: folder };
    const environment = { ...own, ...(kube ? { KUBECONFIG: file } : {}) };
    return await collect(args, environment, closeStdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function collect(args: readonly string[], env: NodeJS.ProcessEnv, closeStdout: boolean): Promise<AmbitResult> {
  const child = spawn(process.execPath, [AMBIT, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    texts.stdout += chunk.toString();
    if (closeStdout) child.stdout.destroy();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...texts }));
  });
}

async function kubeconfigText({ server, caPem = '', credentials }: KubeConfig): Promise<object> {
  const { token } = await credentials();
  const ca = Buffer.from(caPem).toString('base64');
  return {
    'current-context': 'fake',
    contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake' } }],
    clusters: [{ name: 'fake', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: 'fake', user: { token } }],
  };
}
