/** The access log, where every request and connection ends in one line: a tap gets what the line is made of. */

import type { Clock } from '../base/clock.ts';
import { hideSecretParams } from '../base/hide-secrets.ts';
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
import type { Tap } from './tap.ts';

const MAX_PATH_CHARS = 512;

/** A logger that writes as the given one does, and tells the tap of all but details. */
export function tappedLogger(logger: Logger, tap: Tap, clock: Clock): Logger {
  const told =
    (level: Exclude<LogLevel, 'trace' | 'debug'>) =>
    (message: string, fields: LogFields = {}) => {
      if (tap.isActive) tap.offer({ timeMs: clock.nowMs(), kind: kindOf(message), fields: shown(fields) });
      // Asked for the tap alone, the line is none.
      if (logger.enabled(level)) logger[level](message, fields);
    };
  return {
    trace: (message, fields) => logger.trace(message, fields),
    debug: (message, fields) => logger.debug(message, fields),
    info: told('info'),
    warn: told('warn'),
    error: told('error'),
    enabled: (level) => logger.enabled(level) || (tap.isActive && level !== 'trace' && level !== 'debug'),
    scope: (name) => logger.scope(name),
  };
}

/** Who looks by the way sees no secrets of requests, and of a path that is very long its beginning. */
function shown(fields: LogFields): LogFields {
  const { path } = fields;
  if (typeof path !== 'string') return fields;
  const hidden = hideSecretParams(path);
  return { ...fields, path: hidden.length > MAX_PATH_CHARS ? `${hidden.slice(0, MAX_PATH_CHARS)}…` : hidden };
}

function kindOf(message: string): 'request' | 'connection' {
  return message.startsWith('request') || message === 'bad request' ? 'request' : 'connection';
}
