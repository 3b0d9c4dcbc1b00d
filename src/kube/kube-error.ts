/** Why a call to the API server failed. */
import { AmbitError, type AmbitErrorOptions } from '../base/errors.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';

export type KubeErrorCode =
  | 'KUBE_REFUSED'
  | 'KUBE_UNREACHABLE'
  | 'KUBE_TIMEOUT'
  | 'KUBE_ANSWER_INVALID'
  | 'KUBE_CONFIG';

export interface KubeErrorOptions extends AmbitErrorOptions {
  /** HTTP status; 0 when there was no answer. */
  readonly status?: number;
  /** As in Kubernetes: `NotFound`, `AlreadyExists`, `Conflict`, `Gone`, `Expired`, `Forbidden`, `Unauthorized`, … */
  readonly reason?: string;
  /** How long the API server asks to wait. */
  readonly retryAfterMs?: number;
}

export class KubeError extends AmbitError<KubeErrorCode> {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number;

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(code, message, { side: 'upstream', ...options });
    this.status = options.status ?? 0;
    this.reason = options.reason ?? '';
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }

  get isAlreadyExists(): boolean {
    return this.status === 409 && this.reason === 'AlreadyExists';
  }

  /** Somebody else changed the object in between: read it again. */
  get isConflict(): boolean {
    return this.status === 409 && this.reason !== 'AlreadyExists';
  }

  /** The version asked for is no longer kept: list again. */
  get isGone(): boolean {
    return this.status === 410;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
};

const HINTS: Readonly<Record<number, string>> = {
  401: ': the credentials are not accepted',
};

/** An API server answers with a Status object, in JSON. */
export const NO_STATUS_HINT =
  ': the answer is no JSON, as of another server or of a proxy in between: is the address in the kubeconfig the right one?';

/**
 * A refusal, from the `Status` object that came with it.
 * @param body as JSON; undefined where it is none
 * @param call what was asked, for the message: `GET /api/v1/pods`
 * @param forbiddenHint what to do about a right that is missing
 */
export function refusal(call: string, status: number, body: unknown, retryAfterMs = 0, forbiddenHint = ''): KubeError {
  const { reason, message } = fieldsOf(body);
  const why = typeof reason === 'string' && reason !== '' ? reason : (REASONS[status] ?? 'Unknown');
  const text = typeof message === 'string' && message !== '' ? message : why;
  const byStatus = status === 403 && forbiddenHint !== '' ? `: ${forbiddenHint}` : (HINTS[status] ?? '');
  const hint = body === undefined ? NO_STATUS_HINT : byStatus;
  const full = `the API server refused ${call} with ${status}: ${text}${hint}`;
  return new KubeError('KUBE_REFUSED', full, { status, reason: why, retryAfterMs });
}
