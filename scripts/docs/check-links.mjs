// Fails when a relative link of the documentation names a file, or a heading, that is not there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './source-files.mjs';

const FOLDERS = ['.', 'docs', 'test', 'bench', 'deploy'];

/** The anchor that a heading gets: lower case, without punctuation, dashes for spaces. */
const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

const anchorsOf = (path) =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading));

function* brokenLinks(file) {
  const text = readFileSync(join(ROOT, file), 'utf8').replaceAll(/```[\s\S]*?```/g, '');
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path, anchor] = target.split('#');
    const found = path === '' ? join(ROOT, file) : join(ROOT, dirname(file), path);
    if (!existsSync(found)) yield `${file}: ${target}: there is no such file`;
    else if (anchor !== undefined && !anchorsOf(found).includes(anchor)) yield `${file}: ${target}: no such heading`;
  }
}

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);
const broken = files.flatMap((file) => [...brokenLinks(file)]);
for (const line of broken) console.error(line);
if (broken.length > 0) process.exit(1);
