/** What a part of the program needs of a log: levels, a message, fields. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Fields of one log line, in the order in which they are printed. `undefined` values are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether a line of this level would be written: ask before building costly fields. */
  enabled(level: LogLevel): boolean;
  /** A logger for a named part (`access`, `xds`, `dns`, ...), with its own level. */
  scope(name: string): Logger;
}

function ignore(): void {
  // A silent logger drops every line by design.
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  enabled: () => false,
  scope: () => silentLogger,
};
