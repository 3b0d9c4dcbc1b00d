/**
 * The one error type of the project. A code names the failure for programs, the message diagnoses it for an operator,
 * the side says whose fault it is, and the retry class lets a caller decide without reading text.
 */

/** Whose failure it is: the peer that called us, the peer we called, or ourselves. */
export type ErrorSide = 'downstream' | 'upstream' | 'internal';

/** When the same operation may be tried again. */
export type RetryClass = 'never' | 'idempotent' | 'reused-connection-only';

export interface AmbitErrorOptions {
  readonly side?: ErrorSide;
  readonly retry?: RetryClass;
  readonly cause?: unknown;
}

/** An error with a stable code. `C` is the union of codes of the module that raises it. */
export class AmbitError<C extends string = string> extends Error {
  override readonly name = 'AmbitError';
  readonly code: C;
  readonly side: ErrorSide;
  readonly retry: RetryClass;

  /**
   * @param code stable name of the failure, UPPER_SNAKE
   * @param message what failed, the likely cause, what to do
   */
  constructor(code: C, message: string, options: AmbitErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.side = options.side ?? 'internal';
    this.retry = options.retry ?? 'never';
  }
}

/** The text of anything that was thrown, without a stack. */
export function errorText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}

/** The system error code (`ECONNREFUSED`, ...) of anything that was thrown, or an empty string. */
export function systemErrorCode(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return '';
}
