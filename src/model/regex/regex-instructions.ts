/**
 * How large the program of a regular expression becomes, without compiling it: repetitions are multiplied, so that a
 * short pattern cannot make a large program before anybody looks.
 */

/** Besides those of its parts: where a program begins and ends. */
const OWN_INSTRUCTIONS = 4;
/** Where a group begins and ends, and a branch of it that has nothing. */
const EMPTY_GROUP_INSTRUCTIONS = 3;
const QUOTE = /\\Q[\s\S]*?(?:\\E|$)/y;
const ESCAPE = /\\(?:[pPx]\{[^}]*\}|[pP][\s\S]|x[\dA-Fa-f]{2}|[\s\S]|$)/y;
const CLASS = /\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[\s\S]|[^\]\\])*\]/y;
const OPEN = /\((?:\?(?:P?<[^>]*>|[A-Za-z-]*[:)]))?/y;
const REPETITION = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;

interface Group {
  /** Of what is complete in it. */
  size: number;
  /** Of the item that a repetition would repeat. */
  last: number;
}

/** An upper bound of the instructions that RE2 makes of a pattern. Takes any text, in time that grows with its length. */
export function regexInstructions(pattern: string): number {
  const stack: Group[] = [];
  let group: Group = { size: OWN_INSTRUCTIONS, last: 0 };
  const add = (size: number) => {
    group.size += group.last;
    group.last = size;
  };
  for (let at = 0; at < pattern.length; ) {
    const char = pattern.charAt(at);
    const repetition = matchAt(REPETITION, pattern, at);
    const text = repetition?.[0] ?? itemAt(pattern, at);
    if (repetition !== undefined) group.last = repeated(group.last, repetition);
    else if (char === '(' && !text.endsWith(')')) {
      stack.push(group);
      group = { size: 0, last: 0 };
    } else if (char === ')') {
      const whole = group.size + group.last + EMPTY_GROUP_INSTRUCTIONS;
      group = stack.pop() ?? { size: OWN_INSTRUCTIONS, last: 0 };
      add(whole);
    } else add(text.startsWith('\\Q') ? text.length : char === '|' ? 2 : 1);
    at += text.length;
  }
  return [...stack, group].reduce((sum, { size, last }) => sum + size + last, 0);
}

function repeated(size: number, [, least, , most]: RegExpExecArray): number {
  if (least === undefined) return size + 2;
  const times = Math.max(Number(least) + 1, Number(most ?? 0));
  return times * (size + 1) + 1;
}

function itemAt(pattern: string, at: number): string {
  for (const part of [QUOTE, ESCAPE, CLASS, OPEN]) {
    const text = matchAt(part, pattern, at)?.[0];
    if (text !== undefined) return text;
  }
  return pattern.charAt(at);
}

function matchAt(part: RegExp, pattern: string, at: number): RegExpExecArray | undefined {
  part.lastIndex = at;
  return part.exec(pattern) ?? undefined;
}
