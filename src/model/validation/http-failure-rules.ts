/** Faults, timeouts and retries of an HTTP rule of a VirtualService (facts l7-and-control 1.2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkDuration, checkPercent, durationMs, numberOf, quoted } from './value-rules.ts';

/** By number. */
export const GRPC_STATUSES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];
const RETRY_CONDITIONS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

export function checkFault(fault: FieldReader, warn: ReportProblem): void {
  if (!fault.isPresent) return;
  const delay = fault.child('delay');
  const abort = fault.child('abort');
  if (!delay.isPresent && !abort.isPresent) fault.report(undefined, 'needs delay or abort');
  checkPercent(delay.child('percentage'), 'value');
  checkPercent(abort.child('percentage'), 'value');
  checkDuration(delay, 'fixedDelay');
  if (delay.has('exponentialDelay')) delay.report('exponentialDelay', 'is not supported: use fixedDelay');
  checkAbortStatus(abort);
  if (delay.isPresent && !delay.has('percentage') && !delay.has('percent')) {
    warn([...delay.path, 'percentage'], 'is missing: without it no request is delayed');
  }
  if (delay.has('percent')) warn([...delay.path, 'percent'], 'is deprecated: use percentage');
  if (abort.isPresent && !abort.has('percentage')) {
    warn([...abort.path, 'percentage'], 'is missing: without it no request is aborted');
  }
}

function checkAbortStatus(abort: FieldReader): void {
  const status = numberOf(abort, 'httpStatus');
  if (status !== undefined && !(status >= 200 && status <= 599)) {
    abort.report('httpStatus', `must be from 200 to 599, is ${status}`);
  }
  const grpc = abort.string('grpcStatus');
  if (grpc !== undefined && !GRPC_STATUSES.includes(grpc)) {
    abort.report('grpcStatus', `${quoted(grpc)} is not the name of a gRPC status, such as UNAVAILABLE`);
  }
  if (abort.has('http2Error')) abort.report('http2Error', 'is not supported: use httpStatus or grpcStatus');
}

/** The `timeout` and `retries` of a rule. */
export function checkRetries(rule: FieldReader, warn: ReportProblem): void {
  checkDuration(rule, 'timeout', 'zero');
  const retries = rule.child('retries');
  checkDuration(retries, 'perTryTimeout');
  checkDuration(retries, 'backoff');
  for (const condition of (retries.string('retryOn') ?? '').split(',')) {
    const problem = conditionProblem(condition.trim());
    if (problem !== undefined) retries.report('retryOn', problem);
  }
  if (retries.isPresent && (numberOf(retries, 'attempts') ?? 0) <= 0 && retries.names().some(isPolicy)) {
    warn([...retries.path, 'attempts'], 'is 0: nothing is retried, whatever the other fields say');
  }
  const total = durationMs(rule, 'timeout') ?? 0;
  if (total > 0 && (durationMs(retries, 'perTryTimeout') ?? 0) >= total) {
    warn([...retries.path, 'perTryTimeout'], 'has no effect: it is not shorter than timeout');
  }
}

function isPolicy(name: string): boolean {
  return name !== 'attempts';
}

function conditionProblem(condition: string): string | undefined {
  if (condition === '' || RETRY_CONDITIONS.has(condition)) return undefined;
  if (!/^\d+$/.test(condition)) return `${quoted(condition)} is not a condition to retry on`;
  return /^[1-5]\d\d$/.test(condition) ? undefined : `${quoted(condition)} is not an HTTP status`;
}
