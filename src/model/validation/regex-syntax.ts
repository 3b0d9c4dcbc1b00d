/** The syntax of RE2, in which the custom resources write regular expressions. */

/** Longer ones are refused (facts l7-and-control 1.2). */
export const MAX_REGEX_LENGTH = 1024;
const MAX_REPETITIONS = 1000;
const ESCAPE =
  /\\(?:[dDsSwWaftnrvCAzbB]|[pP](?:\{\^?\w+\}|[A-Z])|x(?:[\dA-Fa-f]{2}|\{[\dA-Fa-f]{1,6}\})|0[0-7]{0,2}|[1-7][0-7]{1,2}|[^A-Za-z0-9])/y;
const QUOTE = /\\Q[\s\S]*?(?:\\E|$)/y;
const CLASS = /\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[\s\S]|[^\]\\])*\]/y;
const GROUP = /\((?:\?(?:P?<[A-Za-z_]\w*>|[imsU]*(?:-[imsU]+)?:)|(?!\?))/y;
const FLAGS = /\(\?(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)\)/y;
const REPETITION = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;

interface Step {
  readonly kind: 'item' | 'repetition' | 'open' | 'close' | 'other' | 'problem';
  /** The length, or what is wrong. */
  readonly text: string;
}

/**
 * Why RE2 does not take a pattern; undefined when it does. What only Perl and ECMAScript have is named: it matches
 * with a backtracking engine only, which a peer could keep busy.
 */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > MAX_REGEX_LENGTH) return `is a regular expression of more than ${MAX_REGEX_LENGTH} characters`;
  let depth = 0;
  let before: Step['kind'] = 'other';
  for (let at = 0; at < pattern.length; ) {
    const { kind, text } = stepAt(pattern, at);
    if (kind === 'problem') return text;
    if (kind === 'repetition' && before !== 'item' && before !== 'close') return `has nothing to repeat before ${text}`;
    if (kind === 'open') depth++;
    if (kind === 'close' && --depth < 0) return 'has a ) without its (';
    before = kind;
    at += text.length;
  }
  return depth > 0 ? 'has a ( without its )' : undefined;
}

function stepAt(pattern: string, at: number): Step {
  const char = pattern.charAt(at);
  if (char === '\\') return escapeAt(pattern, at);
  if (char === '[') return classAt(pattern, at);
  if (char === '(') return groupAt(pattern, at);
  if (char === ')') return { kind: 'close', text: char };
  if (char === '|') return { kind: 'other', text: char };
  const repetition = matchAt(REPETITION, pattern, at);
  if (repetition === undefined) return { kind: 'item', text: char };
  const [text, least, , most] = repetition;
  const isTooMuch = Number(least ?? 0) > MAX_REPETITIONS || Number(most ?? 0) > MAX_REPETITIONS;
  if (isTooMuch) return problem(`repeats more than ${MAX_REPETITIONS} times: ${text}`);
  if (most !== undefined && most !== '' && Number(most) < Number(least)) return problem(`repeats backwards: ${text}`);
  return { kind: 'repetition', text };
}

function escapeAt(pattern: string, at: number): Step {
  const text = matchAt(QUOTE, pattern, at)?.[0] ?? matchAt(ESCAPE, pattern, at)?.[0];
  if (text !== undefined) return { kind: 'item', text };
  const given = pattern.slice(at, at + 2);
  if (given === '\\') return problem('ends with a backslash');
  return problem(
    /\d/.test(given) ? `has a back reference, ${given}, which RE2 has not` : `has an unknown escape, ${given}`,
  );
}

function classAt(pattern: string, at: number): Step {
  const text = matchAt(CLASS, pattern, at)?.[0];
  if (text === undefined) return problem('has a [ without its ]');
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== '\\') continue;
    const step = escapeAt(text, index);
    if (step.kind === 'problem') return step;
    index += step.text.length - 1;
  }
  const plain = text.replace(/\\[\s\S]|\[:\^?[a-z]+:\]/g, ' ');
  for (const [range, first = '', last = ''] of plain.matchAll(/([A-Za-z0-9])-([A-Za-z0-9])/g)) {
    if (first > last) return problem(`has a range that runs backwards, ${range}`);
  }
  return { kind: 'item', text };
}

function groupAt(pattern: string, at: number): Step {
  const flags = matchAt(FLAGS, pattern, at)?.[0];
  if (flags !== undefined) return { kind: 'other', text: flags };
  const open = matchAt(GROUP, pattern, at)?.[0];
  if (open !== undefined) return { kind: 'open', text: open };
  return problem(`has ${pattern.slice(at, at + 4)}, which RE2 has not: there is no looking ahead or behind`);
}

function matchAt(part: RegExp, pattern: string, at: number): RegExpExecArray | undefined {
  part.lastIndex = at;
  return part.exec(pattern) ?? undefined;
}

function problem(text: string): Step {
  return { kind: 'problem', text };
}
