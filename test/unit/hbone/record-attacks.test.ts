import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { eventually } from '../../helpers/eventually.ts';
import { type RecordPeer, recordPeer } from '../../helpers/record-peer.ts';
import {
  ALERT,
  DATA,
  HANDSHAKE,
  KEY_UPDATE,
  KEY_UPDATE_REQUESTED,
  type TestRecords,
} from '../../helpers/tls-records.ts';

const TICKET = Buffer.concat([Buffer.of(4, 0, 0, 100), Buffer.alloc(100)]);
const EMPTY = Buffer.alloc(0);
const MAX_QUIET_RECORDS = 32;

/** The reason for the end of a connection, the alert that it told, and the bytes that it handed on. */
interface End {
  readonly reason: string | undefined;
  readonly alert: number | undefined;
  readonly bytes: string;
}

/** Writes to a transport, and waits until it closed. */
async function endAfter(write: (peer: RecordPeer) => Uint8Array): Promise<End> {
  const peer = await recordPeer();
  peer.socket.on('end', () => peer.socket.end());
  peer.socket.write(write(peer));
  const error = await peer.sink.closed;
  if (!peer.socket.closed) await once(peer.socket, 'close');
  const alert = peer.opened().find(({ type }) => type === ALERT);
  peer.close();
  return { reason: error?.message, alert: alert?.content[1], bytes: peer.sink.bytes.toString() };
}

const refused = (alert: number, name: string, bytes = ''): End => ({ reason: `TLS failed: ${name}`, alert, bytes });
const UNEXPECTED = refused(10, 'unexpected message');

describe('a connection of records with a hostile peer', () => {
  it('ends with bad_record_mac at a record that was changed, and hands on nothing of it and what follows', async () => {
    for (const at of [5, 10, -1]) {
      const end = await endAfter(({ writes }) => {
        const records = ['good', 'evil', 'late'].map((text) => writes.seal(DATA, Buffer.from(text)));
        const evil = records[1] as Buffer;
        const index = at < 0 ? evil.length + at : at;
        evil[index] = (evil[index] ?? 0) ^ 0x80;
        return Buffer.concat(records);
      });
      assert.deepEqual(end, refused(20, 'bad record mac', 'good'));
    }
  });

  it('ends at records that came twice, are missing, or changed places', async () => {
    const orders: readonly (readonly number[])[] = [
      [0, 0],
      [0, 2],
      [0, 2, 1],
    ];
    for (const order of orders) {
      const end = await endAfter(({ writes }) => {
        const records = ['good', 'evil', 'late'].map((text) => writes.seal(DATA, Buffer.from(text)));
        return Buffer.concat(order.map((index) => records[index] ?? EMPTY));
      });
      assert.deepEqual(end, refused(20, 'bad record mac', 'good'));
    }
  });

  it('ends at records that are not protected, also an alert or a change of cipher spec', async () => {
    for (const bytes of [
      Buffer.of(ALERT, 3, 3, 0, 2, 1, 0),
      Buffer.of(20, 3, 3, 0, 1, 1),
      Buffer.concat([Buffer.of(HANDSHAKE, 3, 3, 0, 5), KEY_UPDATE]),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    ]) {
      const end = await endAfter(({ writes }) => Buffer.concat([writes.seal(DATA, Buffer.from('good')), bytes]));
      assert.deepEqual(end, { ...UNEXPECTED, bytes: 'good' });
    }
  });

  it('ends at a record that is too long, as soon as its header is there', async () => {
    const end = await endAfter(() => Buffer.of(DATA, 3, 3, 0x41, 0x01));
    assert.deepEqual(end, refused(22, 'record overflow'));
  });

  it('ends at a flood of records that hold no data: empty ones, tickets, changes of keys, warnings', async () => {
    const floods: readonly ((writes: TestRecords) => Buffer)[] = [
      (writes) => writes.seal(DATA, EMPTY),
      (writes) => writes.seal(HANDSHAKE, TICKET),
      (writes) => writes.seal(ALERT, Buffer.of(1, 90)),
      (writes) => updateOf(writes, KEY_UPDATE),
      (writes) => updateOf(writes, KEY_UPDATE_REQUESTED),
    ];
    for (const flood of floods) {
      const many = (writes: TestRecords, count: number) => Array.from({ length: count }, () => flood(writes));
      const end = await endAfter(({ writes }) => Buffer.concat(many(writes, MAX_QUIET_RECORDS + 1)));
      assert.deepEqual(end, UNEXPECTED);
      // As many are borne, and data between them begins the count anew.
      const peer = await recordPeer();
      for (let round = 0; round < 3; round++) {
        peer.socket.write(
          Buffer.concat([...many(peer.writes, MAX_QUIET_RECORDS), peer.writes.seal(DATA, Buffer.from('x'))]),
        );
      }
      await eventually('all data', () => peer.sink.bytes.toString() === 'xxx');
      peer.close();
    }
  });

  it('ends at other records between the parts of a message, and at types that do not exist', async () => {
    for (const [type, content] of [
      [DATA, Buffer.from('x')],
      [DATA, EMPTY],
      [ALERT, Buffer.of(1, 0)],
    ] as const) {
      const end = await endAfter(({ writes }) =>
        Buffer.concat([
          writes.seal(HANDSHAKE, TICKET.subarray(0, 7)),
          writes.seal(type, content),
          writes.seal(HANDSHAKE, TICKET.subarray(7)),
        ]),
      );
      assert.deepEqual(end, UNEXPECTED);
    }
    for (const type of [20, 24, 1, 255]) {
      assert.deepEqual(await endAfter(({ writes }) => writes.seal(type, Buffer.of(1))), UNEXPECTED, `type ${type}`);
    }
  });

  it('ends at messages of a handshake that was done', async () => {
    for (const message of [
      Buffer.of(1, 0, 0, 0),
      Buffer.of(0, 0, 0, 0),
      Buffer.of(24, 0, 0, 1, 7),
      Buffer.of(20, 0, 0, 0),
    ]) {
      assert.deepEqual(await endAfter(({ writes }) => writes.seal(HANDSHAKE, message)), UNEXPECTED);
    }
  });

  it('ends with the reason that an alert of the peer tells, and answers it with none', async () => {
    for (const [code, name] of [
      [42, 'bad certificate'],
      [48, 'unknown ca'],
      [116, 'certificate required'],
      [200, 'alert 200'],
    ] as const) {
      const end = await endAfter(({ writes }) => writes.seal(ALERT, Buffer.of(2, code)));
      assert.deepEqual(end, { reason: `the peer ended TLS: ${name}`, alert: undefined, bytes: '' });
    }
    for (const content of [EMPTY, Buffer.of(2), Buffer.of(2, 42, 0)]) {
      assert.deepEqual(await endAfter(({ writes }) => writes.seal(ALERT, content)), UNEXPECTED);
    }
  });

  it('answers many wishes for new keys once, while the peer does not read', async () => {
    const peer = await recordPeer();
    peer.socket.pause();
    const big = randomBytes(16 * 1024 * 1024);
    const written = new Promise<void>((resolve) => assert.equal(peer.transport.write(big, resolve), false));
    const before = peer.transportSocket.writableLength;
    for (let round = 0; round < 2000; round++) {
      peer.socket.write(
        Buffer.concat([updateOf(peer.writes, KEY_UPDATE_REQUESTED), peer.writes.seal(DATA, Buffer.from('x'))]),
      );
    }
    await eventually('all data', () => peer.sink.bytes.length === 2000);
    assert.ok(
      peer.transportSocket.writableLength - before < 100,
      `${peer.transportSocket.writableLength - before} bytes`,
    );
    peer.socket.resume();
    await written;
    peer.transport.write(Buffer.from('end'), () => undefined);
    peer.transport.end();
    await once(peer.socket, 'end');
    const records = peer.opened();
    const data = Buffer.concat(records.filter(({ type }) => type === DATA).map(({ content }) => content));
    assert.ok(data.equals(Buffer.concat([big, Buffer.from('end')])));
    assert.equal(records.filter(({ type }) => type === HANDSHAKE).length, 1);
    peer.close();
  });
});

function updateOf(writes: TestRecords, message: Buffer): Buffer {
  const record = writes.seal(HANDSHAKE, message);
  writes.update();
  return record;
}
