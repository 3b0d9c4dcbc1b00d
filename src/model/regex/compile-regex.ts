/**
 * The regular expressions of users: RE2, compiled by the engine that matches with it, so that who checks a pattern and who
 * uses it agree. RE2's time grows with the text and with the program; both are bounded (`re2.max_program_size` is what
 * Envoy has for the latter).
 */
import { RE2JS } from 're2js';
import { errorText } from '../../base/errors.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { regexInstructions } from './regex-instructions.ts';

/** Of one pattern, as `regexInstructions` counts; `.{1,1000}` has about 2000. */
const MAX_REGEX_INSTRUCTIONS = 2500;
/** Memory for states that were met before, which make matching fast: so much, and more for each instruction. */
const STATE_CACHE_BYTES = 64 * 1024;
const STATE_CACHE_BYTES_PER_INSTRUCTION = 256;

/** A pattern that is ready to match. */
export interface CompiledRegex {
  readonly regex: RE2JS;
  /** What one character of a text costs at most, in steps. */
  readonly instructions: number;
}

/** @returns why RE2 or a bound of ambit does not take the pattern, otherwise */
export function compileRegex(pattern: string, ignoreCase = false): Result<CompiledRegex, string> {
  const instructions = regexInstructions(pattern);
  if (instructions > MAX_REGEX_INSTRUCTIONS) {
    return fail(
      `makes a program of up to ${instructions} instructions, ${MAX_REGEX_INSTRUCTIONS} at most: repeat less in it`,
    );
  }
  try {
    const regex = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    boundStateCache(regex, STATE_CACHE_BYTES + instructions * STATE_CACHE_BYTES_PER_INSTRUCTION);
    return ok({ regex, instructions });
  } catch (error) {
    return fail(diagnosis(errorText(error)));
  }
}

/** What RE2JS keeps of a pattern besides its program: 8 MiB where nobody says otherwise. */
interface StateCache {
  stateBudget: number;
  memBudget: number;
}

/** RE2JS has no option for it: its fields are set before the first match, which a test guards. */
function boundStateCache(regex: RE2JS, bytes: number): void {
  const cache = (regex.re2() as unknown as { readonly dfa: StateCache }).dfa;
  cache.stateBudget = bytes;
  cache.memBudget = bytes;
}

/** By what RE2JS says. The part of the pattern stands in backquotes behind it. */
const DIAGNOSES: readonly (readonly [error: RegExp, text: (part: string) => string])[] = [
  [/missing closing \)/, () => 'has a ( without its )'],
  [/unexpected \)/, () => 'has a ) without its ('],
  [/missing closing \]/, () => 'has a [ without its ]'],
  [/missing argument to repetition/, (part) => `has nothing to repeat before ${part}`],
  [/invalid nested repetition/, (part) => `repeats a repetition: ${part}`],
  [/invalid repeat count/, (part) => `repeats backwards, or more than 1000 times in all: ${part}`],
  [/trailing backslash/, () => 'ends with a backslash'],
  [/invalid escape sequence: `\\\d/, (part) => `has a back reference, ${part}, which RE2 has not`],
  [/invalid escape/, (part) => `has an unknown escape, ${part}`],
  [/invalid character class range: `(?:\\[pP]|\[:)/, (part) => `has a class of characters that RE2 has not, ${part}`],
  [/invalid character class range/, (part) => `has a range that runs backwards, ${part}`],
  [/duplicate capture group/, (part) => `has two groups of the name ${part}`],
  [
    /Perl syntax|named capture: `\(\?<[!=]/,
    (part) => `has ${part}, which RE2 has not: there is no looking ahead or behind`,
  ],
  [/invalid named capture/, (part) => `has a group with a name that RE2 has not, ${part}`],
];

function diagnosis(error: string): string {
  const part = /`([\s\S]*)`?$/.exec(error)?.[1]?.replace(/`$/, '') ?? '';
  const known = DIAGNOSES.find(([sign]) => sign.test(error))?.[1](part);
  return known ?? `is no regular expression of RE2: ${error.replace(/^error parsing regexp: /, '')}`;
}
