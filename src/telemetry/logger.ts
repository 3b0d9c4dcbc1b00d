/**
 * The log in two formats (facts ztunnel-wire 11.2).
 * Text: `<RFC 3339 time> TAB <level> TAB <scope> TAB <message> TAB <key=value ...>`; JSON: one object per line.
 * Every value is escaped: a line break or a control character from a peer never starts a new line.
 */
import { type DestinationStream, pino } from 'pino';
import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
import { LineWriter } from './line-writer.ts';
import type { LogFilter } from './log-filter.ts';

export interface LogOptions {
  readonly format: 'plain' | 'json';
  readonly filter: LogFilter;
  readonly destination: DestinationStream;
}

/** Standard output, which also gets the last lines of a process that ends. */
export function standardOutput(clock: Clock): LineWriter {
  const lines = new LineWriter(1, { clock });
  process.once('exit', () => lines.flushSync());
  return lines;
}

/** The root logger of a process or thread. `scope` gives one for each part. */
export function createLogger(options: LogOptions): Logger {
  const { format, filter, destination } = options;
  const write = format === 'json' ? jsonWriter(destination) : plainWriter(destination);
  return scoped('ambit', filter, write);
}

type WriteLine = (level: LogLevel, scope: string, message: string, fields: LogFields | undefined) => void;

function scoped(scope: string, filter: LogFilter, write: WriteLine): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (filter.enabled(scope, level)) write(level, scope, message, fields);
  };
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    enabled: (level) => filter.enabled(scope, level),
    scope: (name) => scoped(name, filter, write),
  };
}

function jsonWriter(destination: DestinationStream): WriteLine {
  const log = pino(
    {
      level: 'trace',
      base: null,
      formatters: { level: (level) => ({ level }) },
      timestamp: () => `,"time":"${timestamp()}"`,
    },
    destination,
  );
  return (level, scope, message, fields) => log[level]({ scope, message, ...fields });
}

function plainWriter(destination: DestinationStream): WriteLine {
  return (level, scope, message, fields) => {
    const text = fields === undefined ? '' : `\t${plainFields(fields)}`;
    destination.write(`${timestamp()}\t${level}\t${scope}\t${escapeText(message)}${text}\n`);
  };
}

function plainFields(fields: LogFields): string {
  const parts: string[] = [];
  for (const key in fields) {
    const value = fields[key];
    if (value === undefined) continue;
    parts.push(`${key}=${typeof value === 'string' && !isBare(key, value) ? quote(value) : String(value)}`);
  }
  return parts.join(' ');
}

/** Addresses are printed bare, as the real peers do. */
const UNQUOTED_KEYS: ReadonlySet<string> = new Set(['src.addr', 'dst.addr', 'dst.hbone_addr']);

/** A peer chooses some of the addresses: with anything else in it the value is quoted and cannot pass for two fields. */
const ADDRESS_TEXT = /^[\w.:[\]*%-]+$/;

function isBare(key: string, value: string): boolean {
  return UNQUOTED_KEYS.has(key) && ADDRESS_TEXT.test(value);
}

/** Control characters that JSON lets stand: DEL, the second control set, and the line separators of Unicode. */
const LATE_CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

function quote(text: string): string {
  return JSON.stringify(text).replace(LATE_CONTROLS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) ? quote(text).slice(1, -1) : text;
}

/** RFC 3339 in UTC with microseconds. */
function timestamp(): string {
  const nowMs = performance.timeOrigin + performance.now();
  const wholeMs = Math.floor(nowMs);
  const micros = Math.floor((nowMs - wholeMs) * 1000);
  return `${new Date(wholeMs).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
