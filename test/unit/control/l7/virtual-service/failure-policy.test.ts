import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forwardOf, RouteLab } from '../../../../helpers/route-lab.ts';

function only(fields: object) {
  const [route] = RouteLab.withRules({ route: [{ destination: { host: 'web' } }], ...fields }).http();
  return route;
}

const DEFAULT_CONDITIONS = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];

describe('a timeout', () => {
  it('is for the whole request, and off by default', () => {
    assert.equal(forwardOf(only({})).timeoutMs, 0);
    assert.equal(forwardOf(only({ timeout: '0s' })).timeoutMs, 0);
    assert.equal(forwardOf(only({ timeout: '1m30s' })).timeoutMs, 90_000);
  });
});

describe('retries', () => {
  const retry = (retries: object, more: object = {}) => forwardOf(only({ retries, ...more })).retry;

  it('are two of what never reached the service, where the rule says nothing', () => {
    assert.deepEqual(forwardOf(only({})).retry, {
      attempts: 2,
      perTryTimeoutMs: 0,
      conditions: DEFAULT_CONDITIONS,
      statusCodes: [],
      backoffMs: 25,
      keepPreviousHosts: false,
      leavePriorities: false,
    });
  });

  it('are off without attempts', () => {
    for (const off of [{}, { attempts: 0 }, { attempts: -1 }, { retryOn: '5xx' }]) {
      assert.equal(retry(off)?.attempts, 0);
    }
  });

  it('follow the rule', () => {
    const retries = { attempts: 3, perTryTimeout: '2s', retryOn: 'gateway-error, reset,', backoff: '100ms' };
    assert.deepEqual(retry(retries), {
      attempts: 3,
      perTryTimeoutMs: 2000,
      conditions: ['gateway-error', 'reset'],
      statusCodes: [],
      backoffMs: 100,
      keepPreviousHosts: false,
      leavePriorities: false,
    });
  });

  it('take status codes among the conditions', () => {
    const built = retry({ attempts: 1, retryOn: '503,reset,409' });
    assert.deepEqual(built?.conditions, ['reset', 'retriable-status-codes']);
    assert.deepEqual(built?.statusCodes, [503, 409]);
  });

  it('have the usual conditions where none are named', () => {
    assert.deepEqual(retry({ attempts: 1 })?.conditions, DEFAULT_CONDITIONS);
  });

  it('have no limit for each try that is not below that of all', () => {
    const retries = { attempts: 1, perTryTimeout: '2s' };
    assert.equal(retry(retries, { timeout: '2s' })?.perTryTimeoutMs, 0);
    assert.equal(retry(retries, { timeout: '3s' })?.perTryTimeoutMs, 2000);
    assert.equal(retry(retries, { timeout: '0s' })?.perTryTimeoutMs, 2000);
  });

  it('may go to the same endpoint again', () => {
    assert.equal(retry({ attempts: 1, retryIgnorePreviousHosts: false })?.keepPreviousHosts, true);
    assert.equal(retry({ attempts: 1, retryIgnorePreviousHosts: true })?.keepPreviousHosts, false);
    assert.equal(retry({ attempts: 1, retryRemoteLocalities: true })?.leavePriorities, true);
  });
});

describe('a fault', () => {
  const fault = (fields: object) => only({ fault: fields })?.fault;
  const NONE = {
    delaySharePpm: 0,
    delayMs: 0,
    abortSharePpm: 0,
    abortStatus: 0,
    abortGrpcStatus: 0,
    abortIsGrpc: false,
  };

  it('delays a share, to the ten thousandth of a percent', () => {
    const delay = { percentage: { value: 0.0001 }, fixedDelay: '7s' };
    assert.deepEqual(fault({ delay }), { ...NONE, delaySharePpm: 1, delayMs: 7000 });
    assert.deepEqual(fault({ delay: { percent: 10, fixedDelay: '1s' } }), {
      ...NONE,
      delaySharePpm: 100_000,
      delayMs: 1000,
    });
  });

  it('aborts a share with a status of HTTP or gRPC', () => {
    assert.deepEqual(fault({ abort: { percentage: { value: 5 }, httpStatus: 500 } }), {
      ...NONE,
      abortSharePpm: 50_000,
      abortStatus: 500,
    });
    assert.deepEqual(fault({ abort: { percentage: { value: 100 }, grpcStatus: 'UNAVAILABLE' } }), {
      ...NONE,
      abortSharePpm: 1_000_000,
      abortGrpcStatus: 14,
      abortIsGrpc: true,
    });
  });

  it('without a share is none', () => {
    assert.equal(fault({ delay: { fixedDelay: '1s' } }), undefined);
    assert.equal(fault({ abort: { httpStatus: 500 } }), undefined);
    assert.equal(fault({ abort: { percentage: {}, httpStatus: 500 } }), undefined);
  });
});
