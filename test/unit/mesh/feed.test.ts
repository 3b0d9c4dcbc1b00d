import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AUTHORIZATION_TYPE, feedHandlers } from '../../../src/mesh/feed.ts';
import type { StateChange } from '../../../src/mesh/mesh-state.ts';
import { Action, Authorization, Scope } from '../../../src/proto/gen/authorization.ts';

function setUp() {
  const published: StateChange[] = [];
  const handlers = feedHandlers({}, (changes) => void published.push(...changes));
  const handler = handlers.find(({ typeUrl }) => typeUrl === AUTHORIZATION_TYPE);
  assert.ok(handler);
  return { handler, published };
}

function fed(action: number, scope: Scope, name = 'p') {
  const message = { name, namespace: 'shop', scope, action: action as Action, rules: [], dryRun: false };
  const bytes = Authorization.encode(Authorization.fromPartial(message)).finish();
  return { name: `shop/${name}`, version: '1', aliases: [], bytes };
}

const NEWER = 99;

describe('a policy of the feed that is refused', () => {
  it('denies everything where it applies, as long as there was no good one', () => {
    const { handler, published } = setUp();
    assert.equal(handler.apply([fed(NEWER, Scope.GLOBAL)], []).length, 1);
    const denial = { namespace: 'shop', name: 'p', scope: 'Global', action: 'Deny', rules: [[]], dryRun: false };
    assert.deepEqual(published, [{ kind: 'policy', policy: denial }]);
    assert.deepEqual(handler.apply([fed(Action.ALLOW, Scope.GLOBAL)], []), []);
    published.length = 0;
    assert.equal(handler.apply([fed(NEWER, Scope.GLOBAL)], []).length, 1);
    assert.deepEqual(published, [], 'the last good one stays');
    handler.apply([], ['shop/p']);
    assert.deepEqual(published, [{ kind: 'remove-policy', name: 'shop/p' }]);
  });

  it('denies everything in its namespace where it cannot be read', () => {
    const { handler, published } = setUp();
    handler.apply([{ name: 'shop/p', version: '1', aliases: [], bytes: Buffer.from([0xff]) }], []);
    const [change] = published;
    assert.deepEqual(change?.kind === 'policy' && [change.policy.scope, change.policy.namespace], [
      'Namespace',
      'shop',
    ]);
  });
});
