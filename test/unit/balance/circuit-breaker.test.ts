import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CircuitBreaker } from '../../../src/balance/circuit-breaker.ts';

describe('circuit breaker', () => {
  it('admits up to the limit, and again once something is released', () => {
    const breaker = new CircuitBreaker({ connections: 0, pending: 0, requests: 2, retries: 0 });
    const first = breaker.admit('requests');
    assert.ok(first);
    assert.ok(breaker.admit('requests'));
    assert.equal(breaker.admit('requests'), undefined);
    assert.equal(breaker.refused('requests'), 1);
    first.release();
    first.release();
    assert.equal(breaker.used('requests'), 1);
    assert.ok(breaker.admit('requests'));
  });

  it('knows no limit at zero, and each resource has its own', () => {
    const breaker = new CircuitBreaker({ connections: 0, pending: 1, requests: 0, retries: 1 });
    for (let count = 0; count < 100; count++) assert.ok(breaker.admit('requests'));
    assert.ok(breaker.admit('retries'));
    assert.equal(breaker.admit('retries'), undefined);
    assert.ok(breaker.admit('pending'));
  });

  it('takes other limits for what comes next', () => {
    const breaker = new CircuitBreaker({ connections: 0, pending: 0, requests: 1, retries: 0 });
    breaker.admit('requests');
    breaker.setLimits({ connections: 0, pending: 0, requests: 2, retries: 0 });
    assert.ok(breaker.admit('requests'));
  });
});
