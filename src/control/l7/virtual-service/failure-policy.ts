/** Faults that are made, and retries of those that happen (facts l7-and-control 1.2). */
import type { FaultSpec, HttpRuleSpec, RetriesSpec } from '../../../model/manifest/virtual-service-spec.ts';
import { GRPC_STATUSES } from '../../../model/validation/http-failure-rules.ts';
import type { Fault, RetryPolicy } from '../../../proto/gen/ambit.ts';
import { toMs, toPpm, toUint32 } from './feed-number.ts';

const DEFAULT_ATTEMPTS = 2;
const DEFAULT_BACKOFF_MS = 25;
const DEFAULT_CONDITIONS: readonly string[] = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];
const STATUS_CONDITION = 'retriable-status-codes';

/** Always given: 0 attempts for a rule that turns retries off. */
export function buildRetry({ retries, timeout }: HttpRuleSpec): RetryPolicy {
  const {
    attempts = 0,
    backoff,
    retryIgnorePreviousHosts = true,
    retryRemoteLocalities = false,
  } = retries ?? { attempts: DEFAULT_ATTEMPTS };
  return {
    attempts: toUint32(attempts),
    perTryTimeoutMs: perTryTimeoutMs(retries, toMs(timeout)),
    ...retryOn(retries?.retryOn ?? ''),
    backoffMs: toMs(backoff) || DEFAULT_BACKOFF_MS,
    keepPreviousHosts: !retryIgnorePreviousHosts,
    leavePriorities: retryRemoteLocalities,
  };
}

/** One that is not shorter than all tries together says nothing. */
function perTryTimeoutMs(retries: RetriesSpec | undefined, timeoutMs: number): number {
  const wanted = toMs(retries?.perTryTimeout);
  return timeoutMs > 0 && wanted >= timeoutMs ? 0 : wanted;
}

/** Numbers in the list are status codes. */
function retryOn(list: string): Pick<RetryPolicy, 'conditions' | 'statusCodes'> {
  const entries = list.split(',').map((entry) => entry.trim());
  const statusCodes = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
  const named = entries.filter((entry) => entry !== '' && !/^\d+$/.test(entry));
  const conditions = new Set(entries.every((entry) => entry === '') ? DEFAULT_CONDITIONS : named);
  if (statusCodes.length > 0) conditions.add(STATUS_CONDITION);
  return { conditions: [...conditions], statusCodes };
}

/** Undefined where no request would notice. */
export function buildFault({ delay, abort }: FaultSpec): Fault | undefined {
  const delayMs = toMs(delay?.fixedDelay);
  const delaySharePpm = delayMs === 0 ? 0 : toPpm(delay?.percentage, delay?.percent ?? 0);
  const { httpStatus, grpcStatus } = abort ?? {};
  const abortSharePpm = httpStatus === undefined && grpcStatus === undefined ? 0 : toPpm(abort?.percentage, 0);
  if (delaySharePpm + abortSharePpm === 0) return undefined;
  return {
    delaySharePpm,
    delayMs,
    abortSharePpm,
    abortStatus: httpStatus ?? 0,
    abortGrpcStatus: grpcStatus === undefined ? 0 : Math.max(0, GRPC_STATUSES.indexOf(grpcStatus)),
    abortIsGrpc: grpcStatus !== undefined,
  };
}
