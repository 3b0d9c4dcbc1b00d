/** The regular expressions of a service: each is compiled once, and all of them together are bounded. */
import { type CompiledRegex, compileRegex } from '../model/regex/compile-regex.ts';
import { MAX_SERVICE_INSTRUCTIONS, MAX_SERVICE_PATTERNS, TOO_MANY_REGEXES } from '../model/regex/regex-total.ts';

export class RegexPool {
  readonly #compiled = new Map<string, CompiledRegex>();
  #instructions = 0;

  /** @throws Error for what RE2 does not take, and where all patterns together are too much */
  compile(pattern: string, ignoreCase = false): CompiledRegex {
    const key = `${ignoreCase ? 'i' : ''}:${pattern}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const compiled = compileRegex(pattern, ignoreCase);
    if (!compiled.ok) throw new Error(`the regular expression ${JSON.stringify(pattern)} ${compiled.error}`);
    this.#instructions += compiled.value.instructions;
    this.#compiled.set(key, compiled.value);
    if (this.#compiled.size > MAX_SERVICE_PATTERNS || this.#instructions > MAX_SERVICE_INSTRUCTIONS) {
      throw new Error(TOO_MANY_REGEXES);
    }
    return compiled.value;
  }
}
