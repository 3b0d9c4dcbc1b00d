/** Peers and load generators that are Go programs, built from modules of this repository, which pin their versions. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** Where a program is, or will be. */
export function goToolPath(name: string): string {
  return join(ROOT, 'build/bench', name);
}

/**
 * Builds a program. What has not changed comes from Go's cache, which needs no network.
 *
 * @param module the folder of its go.mod, from the root of the repository
 * @throws Error without Go, or with what Go said above it
 */
export function buildGoTool(name: string, module: string, packagePath: string): string {
  const file = goToolPath(name);
  mkdirSync(dirname(file), { recursive: true });
  try {
    execFileSync('go', ['build', '-o', file, packagePath], {
      cwd: join(ROOT, module),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } catch (cause) {
    throw new Error(`${name} could not be built; it needs Go, and a Go module proxy the first time`, { cause });
  }
  return file;
}
