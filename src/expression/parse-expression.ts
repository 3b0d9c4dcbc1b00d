/**
 * Expressions in a part of the Common Expression Language (facts l7-and-control 6.4): attributes, literals, lists,
 * comparisons, `in`, `&&`, `||`, `!`, `?:`, `+`, and calls. Everything else is an error: what is not understood is never
 * guessed.
 */
import { fail, ok, type Result } from '../base/result.ts';

export type Literal = string | number | boolean;

/** Which operators stand between two values. */
export type BinaryOperator = '||' | '&&' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+';

export type ExpressionNode =
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'list'; readonly items: readonly ExpressionNode[] }
  /** `request.headers`, by its names; with a key: `request.headers['x']`. */
  | { readonly kind: 'attribute'; readonly name: string; readonly key: string | undefined }
  | { readonly kind: 'not'; readonly of: ExpressionNode }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: ExpressionNode;
      readonly right: ExpressionNode;
    }
  | {
      readonly kind: 'choice';
      readonly condition: ExpressionNode;
      readonly yes: ExpressionNode;
      readonly no: ExpressionNode;
    }
  /** Of a method the value before the dot is the first argument. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly ExpressionNode[] };

export const MAX_EXPRESSION_LENGTH = 4096;
const MAX_DEPTH = 32;
const TOKEN =
  /\s*(?:(\d+\.\d+|\d+)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([A-Za-z_][A-Za-z0-9_]*)|(\|\||&&|==|!=|<=|>=|[<>!?:+\-.,()[\]]))/y;
const RELATIONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
]);

interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'sign' | 'end';
  readonly text: string;
}

/** Thrown inside alone: the outermost function makes a result of it. */
class SyntaxProblem extends Error {}

/** Fails with a reason that names what was not understood. */
export function parseExpression(text: string): Result<ExpressionNode, string> {
  if (text.length > MAX_EXPRESSION_LENGTH) return fail(`is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  try {
    return ok(new Parser(tokensOf(text)).whole());
  } catch (error) {
    if (error instanceof SyntaxProblem) return fail(error.message);
    throw error;
  }
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const [found, number, literal, name, sign] = TOKEN.exec(text) ?? [];
    if (found === undefined) throw new SyntaxProblem(`is not understood at "${text.slice(at, at + 20).trim()}"`);
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (literal !== undefined) tokens.push({ kind: 'text', text: unquoted(literal) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else tokens.push({ kind: 'sign', text: sign ?? '' });
  }
  return tokens;
}

function unquoted(literal: string): string {
  return literal.slice(1, -1).replace(/\\(.)/g, (whole, letter: string) => {
    if ('\\"\'`?'.includes(letter)) return letter;
    const escaped = ESCAPES.get(letter);
    if (escaped === undefined) throw new SyntaxProblem(`has the escape ${whole}, which is not known here`);
    return escaped;
  });
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): ExpressionNode {
    const node = this.#expression();
    if (this.#next.kind !== 'end') throw this.#unexpected();
    return node;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '' };
  }

  #unexpected(): SyntaxProblem {
    const { kind, text } = this.#next;
    return new SyntaxProblem(kind === 'end' ? 'ends too early' : `is not understood at "${text}"`);
  }

  #takes(...signs: readonly string[]): string | undefined {
    const { kind, text } = this.#next;
    if ((kind !== 'sign' && text !== 'in') || kind === 'text' || !signs.includes(text)) return undefined;
    this.#at += 1;
    return text;
  }

  #needs(sign: string): void {
    if (this.#takes(sign) === undefined) throw this.#unexpected();
  }

  #expression(): ExpressionNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new SyntaxProblem(`has more than ${MAX_DEPTH} levels`);
    const condition = this.#or();
    let node = condition;
    if (this.#takes('?') !== undefined) {
      const yes = this.#or();
      this.#needs(':');
      node = { kind: 'choice', condition, yes, no: this.#expression() };
    }
    this.#depth -= 1;
    return node;
  }

  #or(): ExpressionNode {
    let left = this.#and();
    while (this.#takes('||')) left = { kind: 'binary', operator: '||', left, right: this.#and() };
    return left;
  }

  #and(): ExpressionNode {
    let left = this.#relation();
    while (this.#takes('&&')) left = { kind: 'binary', operator: '&&', left, right: this.#relation() };
    return left;
  }

  #relation(): ExpressionNode {
    const left = this.#sum();
    const operator = this.#takes(...RELATIONS);
    if (operator === undefined) return left;
    return { kind: 'binary', operator: operator as BinaryOperator, left, right: this.#sum() };
  }

  #sum(): ExpressionNode {
    let left = this.#unary();
    while (this.#takes('+')) left = { kind: 'binary', operator: '+', left, right: this.#unary() };
    return left;
  }

  #unary(): ExpressionNode {
    let negations = 0;
    while (this.#takes('!')) negations += 1;
    const isNegative = negations === 0 && this.#takes('-') !== undefined;
    const node = isNegative ? this.#negative() : this.#member();
    return negated(node, negations);
  }

  #negative(): ExpressionNode {
    const { kind, text } = this.#next;
    if (kind !== 'number') throw this.#unexpected();
    this.#at += 1;
    return { kind: 'literal', value: -Number(text) };
  }

  /** A primary with what follows it: names after dots, keys, methods. */
  #member(): ExpressionNode {
    let node = this.#primary();
    for (;;) {
      if (this.#takes('.')) node = this.#selected(node);
      else if (this.#takes('[')) node = this.#indexed(node);
      else return node;
    }
  }

  #selected(of: ExpressionNode): ExpressionNode {
    const name = this.#name();
    if (this.#takes('(')) return { kind: 'call', name, args: [of, ...this.#list(')')] };
    if (of.kind !== 'attribute' || of.key !== undefined) throw new SyntaxProblem(`has no "${name}" there`);
    return { kind: 'attribute', name: `${of.name}.${name}`, key: undefined };
  }

  #indexed(of: ExpressionNode): ExpressionNode {
    const { kind, text } = this.#next;
    if (of.kind !== 'attribute' || of.key !== undefined || kind !== 'text') throw this.#unexpected();
    this.#at += 1;
    this.#needs(']');
    return { kind: 'attribute', name: of.name, key: text };
  }

  #primary(): ExpressionNode {
    const { kind, text } = this.#next;
    if (kind === 'number' || kind === 'text') {
      this.#at += 1;
      return { kind: 'literal', value: kind === 'number' ? Number(text) : text };
    }
    if (this.#takes('(')) {
      const inner = this.#expression();
      this.#needs(')');
      return inner;
    }
    if (this.#takes('[')) return { kind: 'list', items: this.#list(']') };
    const name = this.#name();
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' };
    if (this.#takes('(')) return { kind: 'call', name, args: this.#list(')') };
    return { kind: 'attribute', name, key: undefined };
  }

  #name(): string {
    const { kind, text } = this.#next;
    if (kind !== 'name' || text === 'in') throw this.#unexpected();
    this.#at += 1;
    return text;
  }

  #list(end: string): ExpressionNode[] {
    const items: ExpressionNode[] = [];
    if (this.#takes(end)) return items;
    do items.push(this.#expression());
    while (this.#takes(','));
    this.#needs(end);
    return items;
  }
}

function negated(node: ExpressionNode, times: number): ExpressionNode {
  let result = node;
  for (let count = 0; count < times; count++) result = { kind: 'not', of: result };
  return result;
}
