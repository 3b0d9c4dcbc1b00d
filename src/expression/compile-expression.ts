/**
 * Expressions ready to be asked: every name in them is known, and every part has a type.
 *
 * What a request does not have makes an expression undefined, as an error does in the Common Expression Language: `&&` and
 * `||` decide without it where they can, and `has()` asks for it.
 */
import { RE2JS } from 're2js';
import { parseDurationMs } from '../base/duration.ts';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { ATTRIBUTES, type AttributeType, type ExpressionContext, isAttribute } from './attributes.ts';
import { type BinaryOperator, type ExpressionNode, parseExpression } from './parse-expression.ts';

export type Value = string | number | boolean | undefined;

export interface Expression {
  readonly type: 'text' | 'number' | 'bool';
  evaluate(context: ExpressionContext): Value;
}

type Evaluate = (context: ExpressionContext) => Value;
type Type = Expression['type'];

/** Thrown inside alone. */
class NotUnderstood extends Error {}

/** Fails with a reason that names what was not understood. */
export function compileExpression(text: string): Result<Expression, string> {
  const parsed = parseExpression(text);
  if (!parsed.ok) return parsed;
  try {
    return ok(compile(parsed.value));
  } catch (error) {
    if (error instanceof NotUnderstood) return fail(error.message);
    throw error;
  }
}

/** As `compileExpression`, for one that says yes or no. */
export function compileCondition(text: string): Result<(context: ExpressionContext) => boolean, string> {
  const compiled = compileExpression(text);
  if (!compiled.ok) return compiled;
  const { type, evaluate } = compiled.value;
  if (type !== 'bool') return fail('is no condition: it does not say yes or no');
  return ok((context) => evaluate(context) === true);
}

function compile(node: ExpressionNode): Expression {
  switch (node.kind) {
    case 'literal':
      return { type: typeOf(node.value), evaluate: () => node.value };
    case 'attribute':
      return compileAttribute(node.name, node.key);
    case 'not': {
      const of = typed(node.of, 'bool');
      return bool((context) => not(of(context)));
    }
    case 'binary':
      return compileBinary(node.operator, node.left, node.right);
    case 'choice':
      return compileChoice(node);
    case 'call':
      return compileCall(node.name, node.args);
    default:
      throw new NotUnderstood('has a list where none can be');
  }
}

function typeOf(value: string | number | boolean): Type {
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'number' : 'bool';
}

function bool(evaluate: Evaluate): Expression {
  return { type: 'bool', evaluate };
}

function not(value: Value): Value {
  return typeof value === 'boolean' ? !value : undefined;
}

function typed(node: ExpressionNode, type: Type): Evaluate {
  const compiled = compile(node);
  if (compiled.type !== type) throw new NotUnderstood(`has a ${compiled.type} where a ${type} has to be`);
  return compiled.evaluate;
}

function attributeType(name: string): AttributeType {
  if (!isAttribute(name)) throw new NotUnderstood(`asks for ${name}, which waypoints do not know`);
  return ATTRIBUTES[name];
}

function compileAttribute(name: string, key: string | undefined): Expression {
  const type = attributeType(name);
  if (type === 'headers') {
    if (key === undefined) throw new NotUnderstood(`has ${name} without the name of a header`);
    const side = sideOf(name);
    const header = key.toLowerCase();
    return { type: 'text', evaluate: (context) => context.header(side, header) };
  }
  if (key !== undefined) throw new NotUnderstood(`asks for ['${key}'] of ${name}, which is no map`);
  return { type, evaluate: (context) => (isAttribute(name) ? context.attribute(name) : undefined) };
}

function sideOf(name: string): 'request' | 'response' {
  return name.startsWith('response.') ? 'response' : 'request';
}

function compileBinary(operator: BinaryOperator, left: ExpressionNode, right: ExpressionNode): Expression {
  switch (operator) {
    case '&&':
      return junction(typed(left, 'bool'), typed(right, 'bool'), false);
    case '||':
      return junction(typed(left, 'bool'), typed(right, 'bool'), true);
    case 'in':
      return membership(left, right);
    case '+':
      return sum(left, right);
    default:
      return comparison(operator, left, right);
  }
}

/** @param decides the value that settles it, whatever the other side is */
function junction(left: Evaluate, right: Evaluate, decides: boolean): Expression {
  return bool((context) => {
    const a = left(context);
    if (a === decides) return decides;
    const b = right(context);
    if (b === decides) return decides;
    return a === undefined || b === undefined ? undefined : !decides;
  });
}

function membership(left: ExpressionNode, right: ExpressionNode): Expression {
  if (right.kind === 'attribute' && right.key === undefined && attributeType(right.name) === 'headers') {
    const side = sideOf(right.name);
    const name = typed(left, 'text');
    return bool((context) => {
      const header = name(context);
      return typeof header === 'string' ? context.header(side, header.toLowerCase()) !== undefined : undefined;
    });
  }
  if (right.kind !== 'list') throw new NotUnderstood('has no list after "in"');
  const value = compile(left);
  const items = right.items.map((item) => typed(item, value.type));
  return bool((context) => {
    const wanted = value.evaluate(context);
    return wanted === undefined ? undefined : items.some((item) => item(context) === wanted);
  });
}

function sum(left: ExpressionNode, right: ExpressionNode): Expression {
  const a = compile(left);
  if (a.type === 'bool') throw new NotUnderstood('adds to a bool');
  const b = typed(right, a.type);
  return {
    type: a.type,
    evaluate: (context) => {
      const first = a.evaluate(context);
      const second = b(context);
      if (typeof first === 'string' && typeof second === 'string') return first + second;
      return typeof first === 'number' && typeof second === 'number' ? first + second : undefined;
    },
  };
}

function comparison(
  operator: Exclude<BinaryOperator, '&&' | '||' | 'in' | '+'>,
  left: ExpressionNode,
  right: ExpressionNode,
): Expression {
  const a = compile(left);
  const b = typed(right, a.type);
  const holds = COMPARISONS[operator];
  return bool((context) => {
    const first = a.evaluate(context);
    const second = b(context);
    return first === undefined || second === undefined ? undefined : holds(first, second);
  });
}

type Comparable = Exclude<Value, undefined>;

const COMPARISONS: Readonly<Record<string, (a: Comparable, b: Comparable) => boolean>> & {
  readonly [Operator in '==' | '!=' | '<' | '<=' | '>' | '>=']: (a: Comparable, b: Comparable) => boolean;
} = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function compileChoice({ condition, yes, no }: Extract<ExpressionNode, { kind: 'choice' }>): Expression {
  const decide = typed(condition, 'bool');
  const first = compile(yes);
  const second = typed(no, first.type);
  return {
    type: first.type,
    evaluate: (context) => {
      const decision = decide(context);
      if (decision === undefined) return undefined;
      return decision === true ? first.evaluate(context) : second(context);
    },
  };
}

function compileCall(name: string, args: readonly ExpressionNode[]): Expression {
  const [first, second] = args;
  const needed = TWO_ARGUMENTS.has(name) ? 2 : 1;
  if (!CALLS.has(name)) throw new NotUnderstood(`calls ${name}(), which waypoints do not know`);
  if (first === undefined || args.length !== needed)
    throw new NotUnderstood(`calls ${name}() with the wrong number of arguments`);
  if (second !== undefined) return compileTextTest(name, typed(first, 'text'), second);
  switch (name) {
    case 'has': {
      if (first.kind !== 'attribute') throw new NotUnderstood('asks has() for something that is no attribute');
      const { evaluate } = compile(first);
      return bool((context) => evaluate(context) !== undefined);
    }
    case 'size': {
      const text = typed(first, 'text');
      return { type: 'number', evaluate: (context) => lengthOf(text(context)) };
    }
    case 'duration':
      return { type: 'number', evaluate: constant(durationOf(first)) };
    case 'string': {
      const { evaluate } = compile(first);
      return { type: 'text', evaluate: (context) => textOf(evaluate(context)) };
    }
    default: {
      const { evaluate } = compile(first);
      return { type: 'number', evaluate: (context) => wholeNumber(evaluate(context)) };
    }
  }
}

const TWO_ARGUMENTS: ReadonlySet<string> = new Set(['contains', 'startsWith', 'endsWith', 'matches']);
const CALLS: ReadonlySet<string> = new Set([...TWO_ARGUMENTS, 'has', 'size', 'duration', 'string', 'int']);

function constant(value: Value): Evaluate {
  return () => value;
}

function lengthOf(value: Value): Value {
  return typeof value === 'string' ? [...value].length : undefined;
}

function textOf(value: Value): Value {
  return value === undefined ? undefined : String(value);
}

function wholeNumber(value: Value): Value {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' ? Math.trunc(number) : undefined;
}

function durationOf(node: ExpressionNode): number {
  const ms = node.kind === 'literal' && typeof node.value === 'string' ? parseDurationMs(node.value) : undefined;
  if (ms === undefined) throw new NotUnderstood('has a duration() that is none, such as duration("5s")');
  return ms;
}

function compileTextTest(name: string, text: Evaluate, argument: ExpressionNode): Expression {
  if (name === 'matches') return matching(text, argument);
  const other = typed(argument, 'text');
  return bool((context) => {
    const value = text(context);
    const part = other(context);
    if (typeof value !== 'string' || typeof part !== 'string') return undefined;
    if (name === 'contains') return value.includes(part);
    return name === 'startsWith' ? value.startsWith(part) : value.endsWith(part);
  });
}

/** Of a part of the text, as in the language; RE2, so that no request makes it slow. */
function matching(text: Evaluate, argument: ExpressionNode): Expression {
  if (argument.kind !== 'literal' || typeof argument.value !== 'string') {
    throw new NotUnderstood('has matches() with something else than a text in quotes');
  }
  const pattern = compilePattern(argument.value);
  return bool((context) => {
    const value = text(context);
    return typeof value === 'string' ? pattern.matcher(value).find() : undefined;
  });
}

function compilePattern(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new NotUnderstood(`has the regular expression "${pattern}", which RE2 does not take: ${errorText(error)}`);
  }
}
