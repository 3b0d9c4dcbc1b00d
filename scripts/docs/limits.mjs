// docs/limits.md: every bound in the code with its value, read from the constants.
import { LIMIT_GROUPS, NOT_LIMITS } from './limits-text.mjs';
import { code, readable, table } from './markdown.mjs';
import { sourceFiles } from './source-files.mjs';

/** Names that say "bound". Every such constant is either explained or listed as none. */
const LIMIT_NAME =
  /^(?:MAX_|MIN_)|_(?:TIMEOUT|DEADLINE|LIMIT|GRACE|INTERVAL|RETRY|REST|BACK_OFF|IDLE|WAIT|AGE|TTL|OVERLAP)(?:_MS|_SEC)?$|_(?:TIMEOUT|DEADLINE|RETRY|GRACE|INTERVAL|REST|WAIT|IDLE|SETTLE|TTL|LIFETIME)_(?:MS|SEC)$|^(?:TIMEOUT|RETRY|GRACE|REST|STABLE|SETTLE)_(?:MS|SEC)$|_PER_SEC$|_ENTRIES$|BACKLOG|BUDGETS$/;
const CONSTANT = /^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: [^=]+)? = ([^;]+);/gm;

/** Every constant of src by `path NAME`, with the text of its value. */
function constants() {
  const found = new Map();
  for (const { path, text } of sourceFiles()) {
    for (const [, name, value] of text.matchAll(CONSTANT)) found.set(`${path} ${name}`, value);
  }
  return found;
}

/** The number that a constant's text means; constants of the same file, and of other files by their name, count. */
function evaluate(all, key) {
  const text = all.get(key);
  if (text === undefined) throw new Error(`scripts/docs/limits-text.mjs explains ${key}, which is not there`);
  const [path] = key.split(' ');
  const plain = text.replaceAll('_', '').replaceAll(/[A-Z][A-Z0-9]+/g, (found) => {
    const original = text.match(/[A-Z][A-Z0-9_]+/g).find((name) => name.replaceAll('_', '') === found);
    const own = `${path} ${original}`;
    return String(evaluate(all, all.has(own) ? own : [...all.keys()].find((other) => other.endsWith(` ${original}`))));
  });
  if (!/^[\da-fx\s.*+()<-]+$/.test(plain)) throw new Error(`${key} is no plain number: ${text}`);
  return Function(`'use strict'; return (${plain});`)();
}

function limitRow(all, [file, name, kind, meaning]) {
  const path = `src/${file}`;
  if (kind === 'see') return [meaning[0], code(name), code(path), meaning[1]];
  return [readable(evaluate(all, `${path} ${name}`), kind), code(name), code(path), meaning];
}

/** The bounds by subject. Throws when a constant that sounds like a bound is in no list. */
export function limitTables() {
  const all = constants();
  const listed = new Set([
    ...LIMIT_GROUPS.flatMap(({ limits }) => limits.map(([file, name]) => `src/${file} ${name}`)),
    ...NOT_LIMITS.map((entry) => `src/${entry}`),
  ]);
  const unexplained = [...all.keys()].filter((key) => LIMIT_NAME.test(key.split(' ')[1]) && !listed.has(key));
  const gone = [...listed].filter((key) => !all.has(key));
  if (unexplained.length + gone.length > 0) {
    const text = `not explained: ${unexplained.join(', ') || 'none'}; explained and not there: ${gone.join(', ') || 'none'}`;
    throw new Error(`scripts/docs/limits-text.mjs: ${text}`);
  }
  return LIMIT_GROUPS.map(({ title, limits, settings = [] }) => {
    const announced = settings.map(([value, name, meaning]) => [
      value,
      code(name),
      code('src/http2/settings.ts'),
      meaning,
    ]);
    const rows = [...announced, ...limits.map((limit) => limitRow(all, limit))];
    return `### ${title}\n\n${table(['value', 'name', 'file', 'what happens at it'], rows)}`;
  }).join('\n\n');
}
