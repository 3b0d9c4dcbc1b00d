import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoginSessions, SESSION_IDLE_MS, SESSION_LIFE_MS } from '../../../src/dashboard/login-sessions.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const ANNA = { token: 'a', user: 'anna', host: 'localhost' };

describe('sessions of people that logged in', () => {
  it('end after their whole life, however much they are used', () => {
    const clock = new ManualClock();
    const sessions = new LoginSessions(clock);
    const id = sessions.open(ANNA);
    const steps = (2 * SESSION_LIFE_MS) / SESSION_IDLE_MS;
    for (let n = 1; n < steps; n++) {
      clock.advance(SESSION_IDLE_MS / 2);
      assert.equal(sessions.tokenOf(id, 'localhost'), 'a');
    }
    clock.advance(SESSION_IDLE_MS / 2);
    assert.equal(sessions.tokenOf(id, 'localhost'), undefined);
  });

  it('are ten for each person: a further one ends that which was used the longest ago', () => {
    const sessions = new LoginSessions(new ManualClock());
    const bob = sessions.open({ token: 'b', user: 'bob', host: 'localhost' });
    const ids = Array.from({ length: 10 }, () => sessions.open(ANNA));
    assert.equal(sessions.tokenOf(ids[0] ?? '', 'localhost'), 'a');
    sessions.open(ANNA);
    const living = ids.filter((id) => sessions.tokenOf(id, 'localhost') === 'a');
    assert.deepEqual(living, ids.toSpliced(1, 1));
    assert.equal(sessions.tokenOf(bob, 'localhost'), 'b', 'others are not concerned');
  });

  it('that are over are forgotten with their tokens, though nobody comes back to them', () => {
    const clock = new ManualClock();
    const sessions = new LoginSessions(clock);
    sessions.open(ANNA);
    clock.advance(SESSION_IDLE_MS - 1);
    const id = sessions.open(ANNA);
    clock.advance(1);
    sessions.forgetOld();
    assert.equal(sessions.size, 1);
    assert.equal(sessions.tokenOf(id, 'localhost'), 'a');
  });

  it('are bounded in all', () => {
    const sessions = new LoginSessions(new ManualClock());
    const ids = Array.from({ length: 1100 }, (_, n) => sessions.open({ token: 't', user: `u${n}`, host: 'localhost' }));
    const living = ids.filter((id) => sessions.tokenOf(id, 'localhost') !== undefined);
    assert.equal(living.length, 1000);
  });
});
