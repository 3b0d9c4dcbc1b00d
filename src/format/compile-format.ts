/** Formats ready to be filled in: parsed once, and known to hold only operators that there are. */
import { fail, ok, type Result } from '../base/result.ts';
import type { FormatContext } from './format-context.ts';
import { findOperator, type Operator } from './operators.ts';
import { type FormatCommand, parseFormat } from './parse-format.ts';

export interface Format {
  /** The text where there is nothing to fill in; undefined else. */
  readonly literal: string | undefined;
  /** What is absent is left out. */
  fill(context: FormatContext): string;
}

/** Why a text cannot be used as a format, for its author. */
export interface FormatProblem {
  /** `syntax`: no proxy could read it. `unsupported`: there is no such operator here. */
  readonly kind: 'syntax' | 'unsupported';
  readonly reason: string;
}

/** What the environment of a proxy holds is not for those who may write routes, nor for clients. */
const SECRET_OPERATOR = 'ENVIRONMENT';

/** Parses the text and looks up its operators. */
export function compileFormat(text: string): Result<Format, FormatProblem> {
  const parts = parseFormat(text);
  if (parts === undefined) {
    return fail({ kind: 'syntax', reason: 'has a single %: write %% for the character' });
  }
  const steps: (string | Step)[] = [];
  for (const part of parts) {
    if (typeof part === 'string') {
      steps.push(part);
      continue;
    }
    const step = stepOf(part);
    if (step === undefined) return fail({ kind: 'unsupported', reason: unsupported(part) });
    steps.push(step);
  }
  const literal = steps.every((step) => typeof step === 'string') ? steps.join('') : undefined;
  return ok({ literal, fill: (context) => literal ?? filled(steps, context) });
}

type Step = (context: FormatContext) => string;

function stepOf({ name, argument, maxLength }: FormatCommand): Step | undefined {
  const operator = name === SECRET_OPERATOR ? undefined : findOperator(name, argument);
  return operator && ((context) => textOf(operator, context, maxLength));
}

function textOf(operator: Operator, context: FormatContext, maxLength: number | undefined): string {
  const value = operator(context);
  if (value === undefined) return '';
  return maxLength === undefined ? String(value) : String(value).slice(0, maxLength);
}

function filled(steps: readonly (string | Step)[], context: FormatContext): string {
  let text = '';
  for (const step of steps) text += typeof step === 'string' ? step : step(context);
  return text;
}

function unsupported({ name, argument }: FormatCommand): string {
  if (name === SECRET_OPERATOR) return 'asks for the environment of the waypoint, which may hold secrets';
  const written = argument === undefined ? `%${name}%` : `%${name}(${argument})%`;
  return `has the operator ${written}, which waypoints cannot fill in`;
}
