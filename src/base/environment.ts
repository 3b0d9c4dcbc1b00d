/** Typed reading of environment variables. Every problem is collected, so that a start fails once and names them all. */

import { parseDurationMs } from './duration.ts';
import { AmbitError } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export class EnvironmentReader {
  readonly #environment: Environment;
  readonly #problems: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The variable's text, or the default when it is unset. An empty text counts as set. */
  text(name: string, fallback: string): string {
    return this.#environment[name] ?? fallback;
  }

  /** The variable's text, or undefined when it is unset or empty. */
  optional(name: string): string | undefined {
    return this.#environment[name] || undefined;
  }

  /** `true`, `false`, `1`, `0`, `yes`, `no`. */
  flag(name: string, fallback: boolean): boolean {
    const text = this.optional(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (['true', '1', 'yes', 't', 'y'].includes(text)) return true;
    if (['false', '0', 'no', 'f', 'n'].includes(text)) return false;
    return this.#problem(name, text, 'true or false', fallback);
  }

  /** A whole number between the bounds, both included. */
  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.optional(name);
    if (text === undefined) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    return this.#problem(name, text, `a whole number from ${min} to ${max}`, fallback);
  }

  /** A duration such as `30s`, in milliseconds. @param maxHours above it the value is refused */
  durationMs(name: string, fallbackMs: number, maxHours = Number.POSITIVE_INFINITY): number {
    const text = this.optional(name);
    if (text === undefined) return fallbackMs;
    const value = parseDurationMs(text);
    if (value !== undefined && value <= maxHours * 3_600_000) return value;
    const most = maxHours === Number.POSITIVE_INFINITY ? '' : `, ${maxHours}h at most`;
    return this.#problem(name, text, `a duration such as 250ms, 30s, 5m or 24h${most}`, fallbackMs);
  }

  /** One of the given words. */
  choice<T extends string>(name: string, fallback: T, words: readonly T[]): T {
    const text = this.optional(name);
    if (text === undefined) return fallback;
    return words.find((word) => word === text) ?? this.#problem(name, text, `one of ${words.join(', ')}`, fallback);
  }

  /** All variables whose name starts with the prefix, by the rest of their name. */
  withPrefix(prefix: string): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [name, value] of Object.entries(this.#environment)) {
      if (name.startsWith(prefix) && value !== undefined) found.set(name.slice(prefix.length), value);
    }
    return found;
  }

  /** Records a problem that the caller found itself. */
  refuse(message: string): void {
    this.#problems.push(message);
  }

  /** Throws one error that names every problem; does nothing when there is none. */
  finish(): void {
    if (this.#problems.length === 0) return;
    throw new AmbitError('INVALID_CONFIGURATION', `invalid configuration: ${this.#problems.join('; ')}`);
  }

  #problem<T>(name: string, text: string, expected: string, fallback: T): T {
    this.#problems.push(`${name}="${text}" is not ${expected}`);
    return fallback;
  }
}
