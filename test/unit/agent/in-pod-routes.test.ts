import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addRouteCommands, isAlreadyDone, removeRouteCommands } from '../../../src/agent/in-pod-routes.ts';

describe('in-pod routes', () => {
  it('are those of facts ztunnel-wire 2.2, the route before the rule', () => {
    assert.deepEqual(
      [...addRouteCommands(4), ...addRouteCommands(6)].map((args) => args.join(' ')),
      [
        '-4 route replace local 0.0.0.0/0 dev lo table 100',
        '-4 rule add fwmark 0x111/0xfff pref 32764 lookup 100',
        '-6 route replace local ::/0 dev lo table 100',
        '-6 rule add fwmark 0x111/0xfff pref 32764 lookup 100',
      ],
    );
  });

  it('are removed in reverse', () => {
    assert.deepEqual(
      removeRouteCommands(4).map((args) => args.slice(1, 3).join(' ')),
      ['rule del', 'route del'],
    );
  });

  it('take "already there" and "not there" for done', () => {
    for (const text of [
      'RTNETLINK answers: File exists',
      'RTNETLINK answers: No such process',
      'Error: ipv4: FIB table does not exist.',
    ]) {
      assert.ok(isAlreadyDone(text));
    }
    assert.ok(!isAlreadyDone('RTNETLINK answers: Operation not permitted'));
  });
});
