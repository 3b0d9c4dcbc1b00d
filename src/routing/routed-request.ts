import type { RegexBudget } from './regex-budget.ts';

/** A request as routes see it. */
export interface RoutedRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** The request target, with its query. */
  readonly target: string;
  /** Without the query. */
  readonly path: string;
  /** All values of a header by its lower-case name, joined by a comma. */
  header(name: string): string | undefined;
  /** Of a token that was verified; undefined without one. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
  /** What regular expressions may still cost. */
  readonly regexBudget: RegexBudget;
}

/** The first value of a query parameter, as it was written (facts l7-and-control 1.2). */
export function queryParameter(target: string, name: string): string | undefined {
  const queryAt = target.indexOf('?');
  if (queryAt < 0) return undefined;
  for (const part of target.slice(queryAt + 1).split('&')) {
    const equalsAt = part.indexOf('=');
    if (equalsAt < 0 ? part === name : part.slice(0, equalsAt) === name) {
      return equalsAt < 0 ? '' : part.slice(equalsAt + 1);
    }
  }
  return undefined;
}
