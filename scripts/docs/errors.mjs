// docs/errors.md: every error code with its text, read from the places that raise it.
import { proxyError, refusalStatus, responseFlag } from '../../src/hbone/proxy-error.ts';
import { PROCESS_ERRORS, PROXY_ERRORS } from './errors-text.mjs';
import { code, table } from './markdown.mjs';
import { sourceFiles } from './source-files.mjs';

const PROXY_ERROR_FILE = 'src/hbone/proxy-error.ts';

/** The codes of the table in proxy-error.ts; what belongs to each is asked of the functions that use it. */
function proxyCodes() {
  const { text } = sourceFiles().find(({ path }) => path === PROXY_ERROR_FILE);
  const [, body = ''] = /const OUTCOMES = \{([^}]*)\}/.exec(text) ?? [];
  return [...body.matchAll(/^\s+([A-Z0-9_]+): \[/gm)].map(([, name]) => name);
}

/** A template or string of the source as a reader sees it: expressions become an ellipsis. */
function readableText(literal) {
  const body = literal.slice(1, -1);
  if (!literal.startsWith('`')) return body.replaceAll("\\'", "'");
  return body.replaceAll('\\`', '').replaceAll(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '…');
}

const LITERAL = '(\'(?:[^\'\\\\\\n]|\\\\.)*\'|"(?:[^"\\\\\\n]|\\\\.)*"|`(?:[^`\\\\]|\\\\.)*`)';

/** The texts that follow a code in the calls that a pattern finds, and the files they are in, by code. */
function textsOf(pattern) {
  const found = new Map();
  for (const { path, text } of sourceFiles()) {
    for (const [, name, literal] of text.matchAll(pattern)) {
      const entry = found.get(name) ?? { texts: new Set(), files: new Set() };
      const shown = literal === undefined ? '' : readableText(literal);
      // A text that is put together from others says nothing here.
      if (/[a-z]{3}/i.test(shown) && !shown.includes('${')) entry.texts.add(shown);
      entry.files.add(path);
      found.set(name, entry);
    }
  }
  return found;
}

const calls = (callee) => new RegExp(`${callee}\\(\\s*'([A-Z0-9_]+)',\\s*(?:${LITERAL})?`, 'g');
const PROXY_CALLS = calls('proxyError');
const ERROR_CALLS = calls('new AmbitError(?:<\\w+>)?');
/** Helpers such as `refuse(CODE, text)`, and tables of `code` and `text`. */
const ANY_CALLS = calls('\\b(?!proxyError\\b)[\\w.]+(?:<\\w+>)?');
const TABLE_ENTRIES = new RegExp(`code: '([A-Z0-9_]+)'(?: as const)?,\\s*text: ${LITERAL}`, 'g');

/** What ends a connection: code, text, flag, status, whose fault, what to do. Throws when one is not explained. */
export function proxyErrorTable() {
  const found = textsOf(PROXY_CALLS);
  const all = textsOf(ANY_CALLS);
  const rows = proxyCodes().map((name) => {
    const explained = PROXY_ERRORS[name];
    if (explained === undefined) throw new Error(`scripts/docs/errors-text.mjs does not explain ${name}`);
    const texts = explained.texts ?? [
      ...((explained.textOf ? all.get(explained.textOf) : found.get(name))?.texts ?? []),
    ];
    const error = proxyError(name, '');
    const shown = isRaised(name) ? texts.map(code).join('<br>') : 'not raised yet';
    if (shown === '') throw new Error(`scripts/docs/errors.mjs finds no text of ${name}`);
    return [
      shown,
      code(responseFlag(error)),
      refusalStatus(error),
      error.side,
      explained.cause,
      explained.action,
      code(name),
    ];
  });
  requireSame('PROXY_ERRORS', proxyCodes(), Object.keys(PROXY_ERRORS));
  return table(['text', 'flag', 'status', 'side', 'cause', 'what to do', 'code'], rows);
}

/** Whether any file but the table of codes mentions it. */
function isRaised(name) {
  const quoted = `'${name}'`;
  return sourceFiles().some(
    ({ path, text }) =>
      text.replace(/const OUTCOMES = \{[^}]*\}/, '').includes(quoted) &&
      (path !== PROXY_ERROR_FILE || text.includes(`(${quoted}`)),
  );
}

function requireSame(list, wanted, explained) {
  for (const name of explained) {
    if (!wanted.includes(name))
      throw new Error(`${list} of scripts/docs/errors-text.mjs explains ${name}, which is not there`);
  }
}

/** Codes of other parts that no call names literally, but a type of the source does. */
function typedCodes() {
  const codes = new Map();
  for (const { path, text } of sourceFiles()) {
    for (const [, body] of text.matchAll(/export type \w*ErrorCode =((?:\s*\|?\s*'[A-Z0-9_]+')+);/g)) {
      for (const [, name] of body.matchAll(/'([A-Z0-9_]+)'/g)) codes.set(name, path);
    }
  }
  return codes;
}

/** The errors of programs and parts, by subject. Throws when one is not explained, or explained and not raised. */
export function processErrorTables() {
  const files = typedCodes();
  for (const [name, { files: where }] of textsOf(ERROR_CALLS)) files.set(name, [...where][0]);
  const sources = [textsOf(ANY_CALLS), textsOf(TABLE_ENTRIES)];
  const textsFor = (name) => [...new Set(sources.flatMap((found) => [...(found.get(name)?.texts ?? [])]))];
  const all = PROCESS_ERRORS.flatMap(({ codes }) => Object.keys(codes));
  for (const [name, path] of files) {
    if (!all.includes(name)) throw new Error(`scripts/docs/errors-text.mjs does not explain ${name} of ${path}`);
  }
  requireSame('PROCESS_ERRORS', [...files.keys()], all);
  return PROCESS_ERRORS.map(({ title, codes }) => {
    const rows = Object.entries(codes).map(([name, action]) => {
      const texts = textsFor(name);
      return [code(name), texts.map(code).join('<br>') || 'names what failed', action, code(files.get(name))];
    });
    return `### ${title}\n\n${table(['code', 'text', 'what to do', 'file'], rows)}`;
  }).join('\n\n');
}
