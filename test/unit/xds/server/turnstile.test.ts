import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turnstile } from '../../../../src/xds/server/turnstile.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

/** Who came in, in order, and how each leaves. */
function queue(turnstile: Turnstile, names: readonly string[]) {
  const inside: string[] = [];
  const leaving = new Map<string, () => void>();
  for (const name of names) {
    turnstile.enter((leave) => {
      inside.push(name);
      leaving.set(name, leave);
    });
  }
  return { inside, leave: (name: string) => leaving.get(name)?.() };
}

describe('Turnstile', () => {
  it('lets in as many as there are places, and others in their order as places get free', () => {
    const turnstile = new Turnstile({ places: 2, patienceMs: 500 }, new ManualClock());
    const { inside, leave } = queue(turnstile, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(inside, ['a', 'b']);
    leave('b');
    leave('b');
    assert.deepEqual(inside, ['a', 'b', 'c']);
    leave('a');
    assert.deepEqual(inside, ['a', 'b', 'c', 'd']);
  });

  it('does not wait for who does nothing', () => {
    const clock = new ManualClock();
    const { inside, leave } = queue(new Turnstile({ places: 1, patienceMs: 500 }, clock), ['idle', 'next', 'last']);
    clock.advance(500);
    assert.deepEqual(inside, ['idle', 'next']);
    leave('idle');
    assert.deepEqual(inside, ['idle', 'next'], 'who had lost its place gave none away');
  });

  it('goes on when somebody leaves at once', () => {
    const clock = new ManualClock();
    const turnstile = new Turnstile({ places: 1, patienceMs: 500 }, clock);
    let through = 0;
    for (let count = 0; count < 10; count++) {
      turnstile.enter((leave) => {
        through++;
        leave();
      });
    }
    assert.equal(through, 10);
    assert.deepEqual(clock.waitingMs, []);
  });
});
