/** When a request is sent again, and after which pause (facts l7-and-control 1.2 retries, 10.6). */
import type { RetryPolicy } from '../proto/gen/ambit.ts';

/** How one try of a request went wrong, or what it was answered. */
export type TryOutcome =
  | { readonly kind: 'connect-failure' | 'timeout' }
  /** `sent`: whether the endpoint may have read the request. */
  | { readonly kind: 'reset'; readonly sent: boolean }
  /** The endpoint said that it did not look at it. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'response'; readonly status: number; readonly header: (name: string) => string | undefined };

export interface CompiledRetry {
  readonly attempts: number;
  readonly perTryTimeoutMs: number;
  /** Whether another try should not go to endpoints that failed before. */
  readonly avoidsPrevious: boolean;
  /** Whether tries go to other priorities, in which other localities are, after so many of them; 0: never. */
  readonly triesPerPriority: number;
  /** Whether what happened is worth another try. */
  wants(outcome: TryOutcome): boolean;
  /** The pause before a try. @param retry 1 for the first one after the first try; @param random from 0 to 1 */
  pauseMs(retry: number, random: number): number;
}

const GRPC_CONDITIONS: Readonly<Record<string, string>> = {
  cancelled: '1',
  'deadline-exceeded': '4',
  'resource-exhausted': '8',
  internal: '13',
  unavailable: '14',
};
const DEFAULT_BACKOFF_MS = 25;
const MAX_BACKOFF_FACTOR = 10;
/** Istio's update frequency of previous priorities (facts l7-and-control 1.2). */
const TRIES_PER_PRIORITY = 2;

/** What holds where nothing is said (facts l7-and-control, invariant 6). */
export const DEFAULT_RETRY: CompiledRetry = compileRetry({
  attempts: 2,
  perTryTimeoutMs: 0,
  conditions: ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'],
  statusCodes: [],
  backoffMs: DEFAULT_BACKOFF_MS,
  keepPreviousHosts: false,
  leavePriorities: false,
});

export function compileRetry(policy: RetryPolicy): CompiledRetry {
  const conditions = new Set(policy.conditions);
  const statusCodes = new Set(policy.statusCodes);
  const grpcStatuses = new Set(
    policy.conditions.map((name) => GRPC_CONDITIONS[name]).filter((code) => code !== undefined),
  );
  const baseMs = policy.backoffMs || DEFAULT_BACKOFF_MS;
  return {
    attempts: policy.attempts,
    perTryTimeoutMs: policy.perTryTimeoutMs,
    avoidsPrevious: !policy.keepPreviousHosts,
    triesPerPriority: policy.leavePriorities ? TRIES_PER_PRIORITY : 0,
    wants: (outcome) =>
      outcome.kind === 'response'
        ? wantsResponse(outcome, conditions, statusCodes, grpcStatuses)
        : failureConditions(outcome).some((name) => conditions.has(name)),
    pauseMs: (retry, random) => Math.min(random * (2 ** retry - 1) * baseMs, MAX_BACKOFF_FACTOR * baseMs),
  };
}

/** The conditions that a try without an answer meets. */
function failureConditions(outcome: Exclude<TryOutcome, { kind: 'response' }>): readonly string[] {
  switch (outcome.kind) {
    case 'connect-failure':
      return ['connect-failure', '5xx', 'gateway-error', 'reset', 'reset-before-request'];
    case 'refused':
      return ['refused-stream', '5xx', 'gateway-error', 'reset', 'reset-before-request'];
    case 'timeout':
      return ['5xx', 'gateway-error', 'reset'];
    case 'reset':
      return outcome.sent
        ? ['5xx', 'gateway-error', 'reset']
        : ['5xx', 'gateway-error', 'reset', 'reset-before-request'];
  }
}

function wantsResponse(
  { status, header }: Extract<TryOutcome, { kind: 'response' }>,
  conditions: ReadonlySet<string>,
  statusCodes: ReadonlySet<number>,
  grpcStatuses: ReadonlySet<string>,
): boolean {
  // Who limits the rate does not want the request again, unless the route says so.
  if (header('x-envoy-ratelimited') !== undefined) return conditions.has('envoy-ratelimited');
  if (statusCodes.has(status)) return true;
  if (conditions.has('5xx') && status >= 500) return true;
  if (conditions.has('gateway-error') && status >= 502 && status <= 504) return true;
  if (conditions.has('retriable-4xx') && status === 409) return true;
  const grpcStatus = header('grpc-status');
  return grpcStatus !== undefined && grpcStatuses.has(grpcStatus);
}
