import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PostHandshake, type PostHandshakeEvent } from '../../../src/tls/post-handshake.ts';
import { KEY_UPDATE, KEY_UPDATE_REQUESTED } from '../../helpers/tls-records.ts';

const NOTHING: PostHandshakeEvent = { kind: 'nothing' };
const REFUSED: PostHandshakeEvent = { kind: 'refused', alert: 10 };
const NEW_SESSION_TICKET = 4;
const MAX_CONTENT_BYTES = 16_380;

function message(type: number, length: number, content = Buffer.alloc(length, type)): Buffer {
  return Buffer.concat([Buffer.of(type, length >> 16, (length >> 8) & 0xff, length & 0xff), content]);
}
const TICKET = message(NEW_SESSION_TICKET, 200);

describe('messages behind the handshake', () => {
  it('may be tickets, several in a record', () => {
    const messages = new PostHandshake();
    assert.deepEqual(messages.receive(Buffer.concat([TICKET, TICKET, TICKET])), NOTHING);
    assert.equal(messages.isWaiting, false);
    assert.deepEqual(messages.receive(message(NEW_SESSION_TICKET, MAX_CONTENT_BYTES)), NOTHING);
    assert.equal(messages.isWaiting, false);
  });

  it('may come in parts, cut anywhere', () => {
    for (let cut = 1; cut < TICKET.length; cut++) {
      const messages = new PostHandshake();
      assert.deepEqual(messages.receive(TICKET.subarray(0, cut)), NOTHING);
      assert.equal(messages.isWaiting, true, `${cut} bytes`);
      assert.deepEqual(messages.receive(Buffer.concat([TICKET.subarray(cut), TICKET])), NOTHING);
      assert.equal(messages.isWaiting, false, `${cut} bytes`);
    }
  });

  it('keep no memory of the caller', () => {
    const messages = new PostHandshake();
    const part = Buffer.from(KEY_UPDATE.subarray(0, 3));
    messages.receive(part);
    part.fill(0xff);
    assert.deepEqual(messages.receive(KEY_UPDATE.subarray(3)), { kind: 'update', answer: false });
  });

  it('may change the keys, with or without a wish for an answer, behind a ticket and in parts', () => {
    for (const [update, answer] of [
      [KEY_UPDATE, false],
      [KEY_UPDATE_REQUESTED, true],
    ] as const) {
      const messages = new PostHandshake();
      assert.deepEqual(messages.receive(update), { kind: 'update', answer });
      assert.deepEqual(messages.receive(Buffer.concat([TICKET, update])), { kind: 'update', answer });
      for (let cut = 1; cut < update.length; cut++) {
        assert.deepEqual(messages.receive(update.subarray(0, cut)), NOTHING);
        assert.deepEqual(messages.receive(update.subarray(cut)), { kind: 'update', answer });
        assert.equal(messages.isWaiting, false);
      }
    }
  });

  it('are refused when anything follows a change of keys in its record, or it is not well formed', () => {
    for (const bytes of [
      Buffer.concat([KEY_UPDATE, KEY_UPDATE]),
      Buffer.concat([KEY_UPDATE, TICKET]),
      Buffer.concat([KEY_UPDATE, Buffer.of(4)]),
      Buffer.of(24, 0, 0, 1, 2),
      Buffer.of(24, 0, 0, 1, 255),
      Buffer.of(24, 0, 0, 0),
      Buffer.of(24, 0, 0, 2, 0, 0),
    ]) {
      assert.deepEqual(new PostHandshake().receive(bytes), REFUSED, bytes.toString('hex'));
    }
  });

  it('are refused when they are of another type, however short, and when a record holds none', () => {
    for (const type of [0, 1, 2, 5, 8, 11, 13, 15, 20, 254, 255]) {
      assert.deepEqual(new PostHandshake().receive(message(type, 0)), REFUSED, `type ${type}`);
    }
    assert.deepEqual(new PostHandshake().receive(Buffer.alloc(0)), REFUSED);
  });

  it('are refused as soon as their length says that they are too long', () => {
    const header = message(NEW_SESSION_TICKET, MAX_CONTENT_BYTES + 1, Buffer.alloc(0));
    assert.deepEqual(new PostHandshake().receive(header), REFUSED);
    assert.deepEqual(new PostHandshake().receive(Buffer.of(24, 255, 255, 255)), REFUSED);
  });

  it('are read the same, cut into records anywhere', () => {
    const tickets = fc.array(fc.nat({ max: 600 }), { maxLength: 6 });
    const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(tickets, lengths, fc.boolean(), (sizes, cuts, asks) => {
        const all = Buffer.concat([
          ...sizes.map((size) => message(NEW_SESSION_TICKET, size)),
          asks ? KEY_UPDATE_REQUESTED : KEY_UPDATE,
        ]);
        const messages = new PostHandshake();
        let last: PostHandshakeEvent = { kind: 'nothing' } as PostHandshakeEvent;
        for (let at = 0, turn = 0; at < all.length; turn++) {
          assert.deepEqual(last, NOTHING);
          const length = cuts[turn % cuts.length] ?? 1;
          last = messages.receive(all.subarray(at, at + length));
          at += length;
        }
        assert.deepEqual(last, { kind: 'update', answer: asks });
      }),
    );
  });
});
