// The TypeScript files of src, without generated ones.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let files;

/** Path from the root of the repository, and text, of every file; read once. */
export function sourceFiles() {
  files ??= readdirSync(join(ROOT, 'src'), { recursive: true })
    .map((name) => `src/${name}`)
    .filter((path) => path.endsWith('.ts') && !path.startsWith('src/proto/gen/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
  return files;
}
