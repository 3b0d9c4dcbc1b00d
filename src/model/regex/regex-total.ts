/** How many regular expressions a service may have: a waypoint keeps all of them compiled, at some 50 KiB each. */
import type { FieldPath } from '../manifest/manifest-problem.ts';
import { regexInstructions } from './regex-instructions.ts';

/** Different ones. */
export const MAX_SERVICE_PATTERNS = 1000;
/** Of all together, as `regexInstructions` counts. */
export const MAX_SERVICE_INSTRUCTIONS = 50_000;

/** What is said of more. */
export const TOO_MANY_REGEXES = `more than ${MAX_SERVICE_PATTERNS} regular expressions, or ${MAX_SERVICE_INSTRUCTIONS} instructions in all of them`;

/** No field with a pattern is deeper in a spec. */
const MAX_DEPTH = 12;
/** What a Gateway API match of the type RegularExpression has patterns in. */
const TYPED: ReadonlySet<string> = new Set(['value', 'service', 'method']);

/** Counts patterns until they are too many; nothing is compiled for it. */
export class RegexTotal {
  readonly #seen = new Set<string>();
  #instructions = 0;

  /** @returns false once all that were added are more than one service may have */
  add(pattern: string): boolean {
    if (this.#isOver) return false;
    if (!this.#seen.has(pattern)) this.#instructions += regexInstructions(pattern);
    this.#seen.add(pattern);
    return !this.#isOver;
  }

  get #isOver(): boolean {
    return this.#seen.size > MAX_SERVICE_PATTERNS || this.#instructions > MAX_SERVICE_INSTRUCTIONS;
  }
}

/** The place of the first pattern that is more than one object may have; undefined where there is none. @param spec as it came */
export function excessRegex(spec: unknown): FieldPath | undefined {
  const total = new RegexTotal();
  const visit = (value: unknown, path: FieldPath): FieldPath | undefined => {
    if (path.length > MAX_DEPTH || typeof value !== 'object' || value === null) return undefined;
    const isRegexType = 'type' in value && value.type === 'RegularExpression';
    for (const [name, entry] of Object.entries(value)) {
      const at = [...path, Array.isArray(value) ? Number(name) : name];
      const isPattern =
        name === 'regex' || (isRegexType && TYPED.has(name)) || (name === 'match' && path.at(-1) === 'uriRegexRewrite');
      const isExcess = isPattern && typeof entry === 'string' && !total.add(entry);
      const found = isExcess ? at : visit(entry, at);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return visit(spec, []);
}
