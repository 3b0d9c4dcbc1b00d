// docs/config.md: variables as the configuration readers ask for them, flags as the command line declares them.
import { parseAgentConfig } from '../../src/agent/config.ts';
import { EnvironmentReader } from '../../src/base/environment.ts';
import { createProgram } from '../../src/cli/program.ts';
import { readZtunnelConfig } from '../../src/ztunnel/config.ts';
import { AGENT_VARIABLES, OTHER_VARIABLES, ZTUNNEL_GROUPS } from './config-text.mjs';
import { code, readable, table } from './markdown.mjs';
import { sourceFiles } from './source-files.mjs';

/** Environments that between them lead the reader past every question. The first answer to a question counts. */
const ENVIRONMENTS = [
  {},
  { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'namespace/name/account' },
  { CONNECTION_TERMINATION_DEADLINE: '5s' },
  { TERMINATION_GRACE_PERIOD_SECONDS: '30' },
  { ZTUNNEL_WORKER_THREADS: '2' },
  { ENABLE_ORIG_SRC: 'true' },
];
const SHOW = {
  optional: () => ['text', 'unset'],
  text: (fallback) => ['text', fallback === '' ? 'empty' : code(fallback)],
  flag: (fallback) => ['true or false', code(fallback)],
  integer: (fallback, min, max) => [`${min} to ${max}`, code(fallback)],
  durationMs: (fallback) => ['duration', code(readable(fallback, 'ms'))],
  choice: (fallback, words) => [words.filter(Boolean).map(code).join(', '), fallback === '' ? 'unset' : code(fallback)],
};

/** What the reader asks of the environment: kind and default by variable; prefixes end in `*`. */
function recordQuestions() {
  const questions = new Map();
  const { prototype } = EnvironmentReader;
  const originals = Object.fromEntries([...Object.keys(SHOW), 'withPrefix'].map((name) => [name, prototype[name]]));
  for (const kind of Object.keys(SHOW)) {
    prototype[kind] = function record(name, ...rest) {
      const known = questions.get(name)?.kind;
      if (known === undefined || (known === 'optional' && kind !== 'optional')) questions.set(name, { kind, rest });
      return originals[kind].call(this, name, ...rest);
    };
  }
  prototype.withPrefix = function record(prefix) {
    questions.set(`${prefix}*`, { kind: 'optional', rest: [] });
    return originals.withPrefix.call(this, prefix);
  };
  try {
    for (const environment of ENVIRONMENTS) readZtunnelConfig(environment);
  } finally {
    Object.assign(prototype, originals);
  }
  return questions;
}

function variableRow(questions, [name, origin, meaning, own = {}]) {
  const question = questions.get(name);
  if (question === undefined) throw new Error(`scripts/docs/config-text.mjs explains ${name}, which nobody reads`);
  const [values, fallback] = SHOW[question.kind](...question.rest);
  const unused = own.field !== undefined && !isUsed(own.field);
  return [
    code(name),
    own.values ?? values,
    own.fallback ?? fallback,
    origin,
    unused ? `${meaning} Read and checked; has no effect yet.` : meaning,
  ];
}

/** Whether any file but the reader mentions a field of the configuration. */
function isUsed(field) {
  const word = new RegExp(`\\b${field}\\b`);
  return sourceFiles().some(({ path, text }) => path !== 'src/ztunnel/config.ts' && word.test(text));
}

/** The variables of ztunnel, by subject. Throws when one is not explained, or explained and not read. */
export function ztunnelVariables() {
  const questions = recordQuestions();
  const explained = new Set(ZTUNNEL_GROUPS.flatMap(({ variables }) => variables.map(([name]) => name)));
  for (const name of questions.keys()) {
    if (!explained.has(name)) throw new Error(`scripts/docs/config-text.mjs does not explain ${name} of ztunnel`);
  }
  requireKnownReads();
  return ZTUNNEL_GROUPS.map(
    ({ title, variables }) =>
      `### ${title}\n\n${table(
        ['variable', 'values', 'default', 'name of', 'meaning'],
        variables.map((variable) => variableRow(questions, variable)),
      )}`,
  ).join('\n\n');
}

/** The variables of the agent. */
export function agentVariables() {
  const read = new Set();
  const environment = new Proxy({}, { get: (_target, name) => void read.add(name) });
  parseAgentConfig([], environment);
  const explained = new Set(AGENT_VARIABLES.map(([name]) => name));
  for (const name of read) {
    if (!explained.has(name)) throw new Error(`scripts/docs/config-text.mjs does not explain ${name} of the agent`);
  }
  return table(
    ['variable', 'default', 'name of', 'meaning'],
    AGENT_VARIABLES.map(([name, fallback, origin, meaning]) => [code(name), fallback, origin, meaning]),
  );
}

/** Variables that are read by name elsewhere. */
export function otherVariables() {
  return table(
    ['variable', 'read by', 'meaning'],
    OTHER_VARIABLES.map(([name, by, meaning]) => [code(name), by, meaning]),
  );
}

/** Every variable that some file reads by a literal name has to be explained somewhere. */
function requireKnownReads() {
  const known = new Set([
    ...ZTUNNEL_GROUPS.flatMap(({ variables }) => variables.map(([name]) => name)),
    ...AGENT_VARIABLES.map(([name]) => name),
    ...OTHER_VARIABLES.map(([name]) => name),
  ]);
  for (const { path, text } of sourceFiles()) {
    for (const [, name] of text.matchAll(/\benv(?:ironment)?\[\s*'([A-Z][A-Z0-9_]+)'\s*\]/g)) {
      if (!known.has(name)) throw new Error(`scripts/docs/config-text.mjs does not explain ${name} of ${path}`);
    }
  }
}

/** The commands with their flags, from the command line itself. */
export function commandFlags() {
  const commands = createProgram({}).commands.filter((command) => !command._hidden);
  // Of a command that has commands itself only those have flags.
  return commands
    .flatMap((command) => [command, ...command.commands])
    .map((command) => {
      const usage = command
        .usage()
        .replace(/^\[options\] ?/, '')
        .trim();
      const head = `### \`ambit ${fullName(command)}${usage === '' ? '' : ` ${usage}`}\`\n\n${sentence(command.description())}`;
      return command.options.length === 0 ? head : `${head}\n\n${flagTable(command.options)}`;
    })
    .join('\n\n');
}

function fullName(command) {
  const outer = command.parent?.parent ? `${command.parent.name()} ` : '';
  return `${outer}${command.name()}`;
}

function flagTable(options) {
  const rows = options.map(({ flags, description, defaultValue, defaultValueDescription, mandatory }) => {
    const shown = defaultValue === undefined || defaultValue === false || flags.startsWith('--no-');
    const fallback = shown ? '-' : defaultValue === '' ? 'empty' : code(defaultValueDescription ?? defaultValue);
    return [code(flags), mandatory ? 'required' : fallback, description];
  });
  return table(['flag', 'default', 'meaning'], rows);
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
