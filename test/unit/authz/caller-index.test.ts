import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  accountCaller,
  anyOfCallers,
  type Caller,
  CallerIndex,
  type Callers,
  namespaceCaller,
  principalCaller,
} from '../../../src/authz/caller-index.ts';
import { type Identity, principalOf, spiffeId } from '../../../src/model/spiffe.ts';

const caller: Identity = { trustDomain: 'td', namespace: 'shop', serviceAccount: 'web' };
const FILLER: Callers[] = Array(20).fill([principalCaller('td/ns/none/sa/none')]);

function asking(identity: Identity | undefined): Caller {
  return { identity, principal: identity && principalOf(spiffeId(identity)) };
}

/** Which of the first rules come, with many others behind them. */
function candidates(rules: readonly Callers[], identity: Identity | undefined): number[] {
  const seen: number[] = [];
  new CallerIndex([...rules, ...FILLER]).find(asking(identity), seen, (number, list) => {
    list.push(number);
    return false;
  });
  return seen;
}

describe('the index of callers', () => {
  const rules: Callers[] = [
    [principalCaller('td/ns/shop/sa/web')],
    undefined,
    [accountCaller('shop', 'web'), accountCaller('shop', 'api')],
    [principalCaller('other/ns/shop/sa/web')],
    [namespaceCaller('shop')],
    [namespaceCaller('')],
    [],
  ];

  it('gives the rules that name a caller in any way, and those for anybody, in their order', () => {
    assert.deepEqual(candidates(rules, caller), [0, 1, 2, 4]);
    assert.deepEqual(candidates(rules, { ...caller, serviceAccount: 'api' }), [1, 2, 4]);
    assert.deepEqual(candidates(rules, { ...caller, namespace: 'else' }), [1]);
  });

  it('gives whoever has no identity the rules for anybody, and for an empty namespace', () => {
    assert.deepEqual(candidates(rules, undefined), [1, 5]);
  });

  it('leaves nothing out of a few rules: they are asked one by one', () => {
    const seen: number[] = [];
    new CallerIndex(rules).find(asking(undefined), seen, (number, list) => list.push(number) < 0);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6]);
  });

  it('takes one who can be anybody for all', () => {
    assert.deepEqual(anyOfCallers([['a'], ['b', 'c']]), ['a', 'b', 'c']);
    assert.equal(anyOfCallers([['a'], undefined]), undefined);
  });
});
