import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createService } from '../../../src/model/service.ts';
import { createWorkload } from '../../../src/model/workload.ts';
import type { SessionPersistence } from '../../../src/proto/gen/ambit.ts';
import { endpointId, readSession, sessionHeader } from '../../../src/waypoint/session.ts';

const service = createService({ namespace: 'shop', hostname: 'cart.shop' });
const endpoint = (uid: string, of = service) => ({ workload: createWorkload({ uid }), service: of });
const policy = (fields: Partial<SessionPersistence> = {}): SessionPersistence => ({
  name: 'sid',
  isHeader: false,
  path: '/shop',
  absoluteTimeoutSec: 0,
  idleTimeoutSec: 0,
  isPermanent: false,
  ...fields,
});
/** A request that says what a response said. */
const answering = (header: readonly [string, string] | undefined) => (name: string) => {
  const [own, value = ''] = header ?? [];
  if (own === 'set-cookie') return name === 'cookie' ? `other=1; ${value.split(';')[0]}` : undefined;
  return own === name ? value : undefined;
};
const NOBODY = () => undefined;

describe('a session', () => {
  it('is named in a cookie of the client, and again only once it moved', () => {
    const told = sessionHeader(policy(), undefined, endpoint('a'), 1000);
    assert.match(told?.[1] ?? '', /^sid="[\w-]{22}"; Path=\/shop; HttpOnly$/);
    const session = readSession(policy(), answering(told), 9_999_999);
    assert.equal(session?.endpointId, endpointId(endpoint('a')));
    assert.equal(sessionHeader(policy(), session, endpoint('a'), 1000), undefined);
    assert.match(sessionHeader(policy(), session, endpoint('b'), 1000)?.[1] ?? '', /^sid="/);
  });

  it('is named in a header', () => {
    const inHeader = policy({ isHeader: true, name: 'x-session' });
    const told = sessionHeader(inHeader, undefined, endpoint('a'), 1000);
    assert.equal(told?.[0], 'x-session');
    assert.equal(readSession(inHeader, answering(told), 1000)?.endpointId, told?.[1]);
  });

  it('names an endpoint of one service only, and not its address', () => {
    const other = createService({ namespace: 'shop', hostname: 'other.shop' });
    assert.notEqual(endpointId(endpoint('a')), endpointId(endpoint('a', other)));
    assert.doesNotMatch(endpointId(endpoint('10.0.0.1')), /10\.0/);
  });

  it('ends when it is too old, however often it is used', () => {
    const limited = policy({ absoluteTimeoutSec: 100, isPermanent: true });
    const told = sessionHeader(limited, undefined, endpoint('a'), 1000);
    assert.match(told?.[1] ?? '', /; Max-Age=100; /);
    assert.ok(readSession(limited, answering(told), 1099));
    assert.equal(readSession(limited, answering(told), 1100), undefined);
    const moved = sessionHeader(limited, readSession(limited, answering(told), 1060), endpoint('b'), 1060);
    assert.match(moved?.[1] ?? '', /; Max-Age=100; /);
  });

  it('ends when it is not used, and lasts from its last use', () => {
    const limited = policy({ idleTimeoutSec: 10, absoluteTimeoutSec: 100, isPermanent: true });
    const told = sessionHeader(limited, undefined, endpoint('a'), 1000);
    assert.equal(readSession(limited, answering(told), 1010), undefined);
    const session = readSession(limited, answering(told), 1009);
    assert.equal(sessionHeader(limited, session, endpoint('a'), 1000), undefined);
    const again = sessionHeader(limited, session, endpoint('a'), 1009);
    assert.match(again?.[1] ?? '', /; Max-Age=91; /);
    assert.ok(readSession(limited, answering(again), 1018));
  });

  it('is a new one where what the client says cannot be read', () => {
    const id = endpointId(endpoint('a'));
    const limited = policy({ idleTimeoutSec: 10, isHeader: true, name: 'x' });
    for (const value of ['', 'a', `${id}x`, `${id}.1`, `${id}.zzzzzzzzzz.1`, `${id}.1.-`, id, '\u0000']) {
      assert.equal(
        readSession(limited, (name) => (name === 'x' ? value : undefined), 1000),
        undefined,
        value,
      );
    }
    assert.equal(readSession(policy(), NOBODY, 1000), undefined);
  });

  it('answers whatever a client sends with a header that can be sent, and reads that again', () => {
    const id = endpointId(endpoint('a'));
    const sent = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `sid="${id}.${text}`),
    );
    const limits = fc.constantFrom(0, 1, 100);
    fc.assert(
      fc.property(sent, limits, limits, fc.boolean(), (value, absoluteTimeoutSec, idleTimeoutSec, isHeader) => {
        const name = isHeader ? 'x-sid' : 'sid';
        const given = policy({ name, isHeader, absoluteTimeoutSec, idleTimeoutSec, isPermanent: true });
        const before = readSession(given, () => value, 1000);
        const told = sessionHeader(given, before, endpoint('b'), 1000);
        assert.match(told?.[1] ?? '', /^[\x21-\x7e][\x20-\x7e]*$/);
        assert.equal(readSession(given, answering(told), 1000)?.endpointId, endpointId(endpoint('b')));
      }),
    );
  });
});
