/** Log levels by scope, `info,access=debug,dns=off`, changeable while running (facts ztunnel-wire 11.2, 11.4). */
import type { LogLevel } from '../base/logger.ts';

export type FilterLevel = LogLevel | 'off';

const ORDER: Readonly<Record<FilterLevel, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, off: 5 };

/** All levels, the most talkative first. */
export const FILTER_LEVELS: readonly string[] = Object.keys(ORDER);

export class LogFilter {
  readonly #initial: string;
  #default: FilterLevel = 'info';
  readonly #scopes = new Map<string, FilterLevel>();

  /** Directives that are not understood are skipped: a log must not keep a proxy from starting. */
  constructor(directives: string) {
    this.#initial = directives;
    this.reset();
  }

  reset(): void {
    this.#default = 'info';
    this.#scopes.clear();
    this.update(this.#initial);
  }

  /**
   * Adds directives to those in force.
   * @returns the first directive that is not understood, or undefined when all were
   */
  update(directives: string): string | undefined {
    let refused: string | undefined;
    for (const directive of directives
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean)) {
      if (!this.#set(directive)) refused ??= directive;
    }
    return refused;
  }

  enabled(scope: string, level: LogLevel): boolean {
    return ORDER[level] >= ORDER[this.#scopes.get(scope) ?? this.#default];
  }

  toString(): string {
    return [this.#default, ...[...this.#scopes].map(([scope, level]) => `${scope}=${level}`)].join(',');
  }

  #set(directive: string): boolean {
    const equals = directive.indexOf('=');
    const level = directive.slice(equals + 1).toLowerCase();
    if (!isFilterLevel(level)) return false;
    if (equals < 0) this.#default = level;
    else this.#scopes.set(directive.slice(0, equals), level);
    return true;
  }
}

function isFilterLevel(text: string): text is FilterLevel {
  return Object.hasOwn(ORDER, text);
}
