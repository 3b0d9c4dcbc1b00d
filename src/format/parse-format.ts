/**
 * Text with command operators, as Envoy has it in header values and access logs: `%NAME%`, `%NAME(argument)%`,
 * `%NAME(argument):length%`, and `%%` for a percent sign (facts l7-and-control 1.2, 8.4).
 */

/** An operator as it was written; what it stands for is decided by those who know it. */
export interface FormatCommand {
  readonly name: string;
  /** Undefined without parentheses. */
  readonly argument: string | undefined;
  /** How many characters are kept of what it stands for; undefined for all. */
  readonly maxLength: number | undefined;
}

/** Literal text, or an operator. */
export type FormatPart = string | FormatCommand;

const COMMAND = /%([A-Z_0-9]+)(?:\(([\s\S]*?)\))?(?::(\d{1,9}))?%/y;

/** The parts in their order, no two texts in a row; undefined for a percent sign that belongs to no operator. */
export function parseFormat(text: string): readonly FormatPart[] | undefined {
  const parts: FormatPart[] = [];
  let literal = '';
  let at = 0;
  for (let percent = text.indexOf('%'); percent >= 0; percent = text.indexOf('%', at)) {
    literal += text.slice(at, percent);
    if (text[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    COMMAND.lastIndex = percent;
    const [found, name, argument, length] = COMMAND.exec(text) ?? [];
    if (found === undefined || name === undefined) return undefined;
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push({ name, argument, maxLength: length === undefined ? undefined : Number(length) });
    at = percent + found.length;
  }
  literal += text.slice(at);
  if (literal !== '') parts.push(literal);
  return parts;
}
