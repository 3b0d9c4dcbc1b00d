import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { RecordMemory } from '../../../src/hbone/record-memory.ts';
import { RecordTransport } from '../../../src/hbone/record-transport.ts';
import { SocketIntake } from '../../../src/http2/socket-intake.ts';
import type { ByteTransport } from '../../../src/http2/transport.ts';
import { recordKeys } from '../../../src/native/record-keys.ts';
import { eventually } from '../../helpers/eventually.ts';
import { recordPeer } from '../../helpers/record-peer.ts';
import { RecordingSink, securePair, type TlsKind } from '../../helpers/secure-pair.ts';
import { ALERT, DATA, HANDSHAKE, KEY_UPDATE, KEY_UPDATE_REQUESTED, TestRecords } from '../../helpers/tls-records.ts';

const KINDS: readonly (readonly [TlsKind, TlsKind])[] = [
  ['own', 'own'],
  ['own', 'node'],
  ['node', 'own'],
];

/** A TCP connection of which one end is read as tunnels are. */
async function readPair() {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const memory = new RecordMemory();
  const reading = { intake: new SocketIntake(memory.readBuffer), memory };
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true, onread: reading.intake.onread });
  await once(near, 'connect');
  const [far] = (await accepted) as [Socket];
  server.close();
  return { near, far, reading };
}

/** Writes all of it, each piece when the one before was taken. */
async function writeAll(transport: ByteTransport, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise<void>((resolve) => {
      if (transport.write(piece, resolve)) resolve();
    });
  }
}

describe('records behind a handshake', () => {
  for (const [client, server] of KINDS) {
    it(`carry bytes both ways, of a client with TLS of its ${client} and a server with its ${server}`, async () => {
      const [near, far] = await securePair(client, server);
      assert.equal(near.transport instanceof RecordTransport, client === 'own');
      assert.equal(far.transport instanceof RecordTransport, server === 'own');
      const [atClient, atServer] = [new RecordingSink(), new RecordingSink()];
      near.transport.start(atClient);
      far.transport.start(atServer);
      const pieces = [1, 100, 16_384, 16_385, 65_536, 3].map((length) => randomBytes(length));
      const many = Array.from({ length: 100 }, () => randomBytes(30_000));
      await Promise.all([
        writeAll(near.transport, [...pieces, ...many]),
        writeAll(far.transport, [...many, ...pieces]),
      ]);
      await eventually('all bytes', () => {
        const all = Buffer.concat([...pieces, ...many]).length;
        return atServer.bytes.length === all && atClient.bytes.length === all;
      });
      assert.ok(atServer.bytes.equals(Buffer.concat([...pieces, ...many])));
      assert.ok(atClient.bytes.equals(Buffer.concat([...many, ...pieces])));
      near.transport.end();
      await eventually('the end', () => atServer.ended);
      far.transport.end();
      assert.equal(await atServer.closed, undefined);
      assert.equal(await atClient.closed, undefined);
    });
  }
});

describe('records of a peer', () => {
  it('are read the same wherever the stream is cut, with changes of keys, tickets and padding in it', async () => {
    const message = (writes: TestRecords): Buffer => {
      const ticket = Buffer.concat([Buffer.of(4, 0, 0, 30), Buffer.alloc(30)]);
      const parts = [
        writes.seal(DATA, Buffer.from('one ')),
        writes.seal(HANDSHAKE, ticket.subarray(0, 10)),
        writes.seal(HANDSHAKE, Buffer.concat([ticket.subarray(10), KEY_UPDATE])),
      ];
      writes.update();
      parts.push(writes.seal(DATA, Buffer.from('two '), 20), writes.seal(HANDSHAKE, KEY_UPDATE_REQUESTED));
      writes.update();
      return Buffer.concat([...parts, writes.seal(DATA, Buffer.from('three'))]);
    };
    const { length } = message(new TestRecords('TLS_AES_128_GCM_SHA256', randomBytes(32)));
    for (let cut = 1; cut <= length; cut += 1) {
      // What was read with the handshake, and what is read afterwards.
      let rest: Buffer = Buffer.alloc(0);
      const peer = await recordPeer((writes) => {
        const bytes = message(writes);
        rest = bytes.subarray(cut);
        return bytes.subarray(0, cut);
      });
      if (rest.length > 0) peer.socket.write(rest);
      await eventually('all data', () => peer.sink.bytes.toString() === 'one two three');
      peer.transport.write(Buffer.from('answer'), () => undefined);
      peer.transport.end();
      await once(peer.socket, 'end');
      const texts = peer.opened().map(({ type, content }) => `${type} ${content.toString('hex')}`);
      assert.deepEqual(texts, ['22 1800000100', '23 616e73776572', '21 0100'], `cut at ${cut}`);
      peer.close();
    }
  });

  it('end with its close_notify or its FIN; what follows the former is not read, and this side may still write', async () => {
    for (const isNotified of [true, false]) {
      const peer = await recordPeer();
      peer.socket.write(peer.writes.seal(DATA, Buffer.from('last')));
      if (isNotified) {
        const notify = peer.writes.seal(ALERT, Buffer.of(1, 0));
        peer.socket.write(Buffer.concat([notify, peer.writes.seal(DATA, Buffer.from('late'))]));
      } else peer.socket.end();
      await eventually('the end', () => peer.sink.ended);
      peer.transport.write(Buffer.from('answer'), () => undefined);
      peer.transport.end();
      peer.transport.end();
      await once(peer.socket, 'end');
      peer.socket.end();
      assert.equal(await peer.sink.closed, undefined);
      assert.equal(peer.sink.bytes.toString(), 'last');
      const types = peer.opened().map(({ type }) => type);
      assert.deepEqual(types, [DATA, ALERT]);
    }
  });

  it('end with a FIN that came before anybody read them, behind what came with the handshake', async () => {
    const suite = 'TLS_AES_128_GCM_SHA256';
    const secret = randomBytes(32);
    const [readKeys, writeKeys] = (['read', 'write'] as const).map((direction) =>
      recordKeys({ suite, secret, direction }),
    );
    assert.ok(readKeys && writeKeys);
    const { near, far, reading } = await readPair();
    far.end();
    await once(near, 'end');
    const early = new TestRecords(suite, secret).seal(DATA, Buffer.from('last'));
    const transport = new RecordTransport(near, reading, { readKeys, writeKeys, early });
    const sink = new RecordingSink();
    transport.start(sink);
    await eventually('the end', () => sink.ended);
    assert.equal(sink.bytes.toString(), 'last');
    transport.destroy();
    await sink.closed;
    far.destroy();
  });

  it('end with the error of a reset, and a wish for new keys behind our end is not answered', async () => {
    const peer = await recordPeer();
    peer.transport.end();
    peer.socket.write(peer.writes.seal(HANDSHAKE, KEY_UPDATE_REQUESTED));
    peer.writes.update();
    peer.socket.write(peer.writes.seal(DATA, Buffer.from('more')));
    await eventually('data', () => peer.sink.bytes.toString() === 'more');
    peer.socket.resetAndDestroy();
    assert.match(String((await peer.sink.closed)?.message), /ECONNRESET/);
    // A write to what is closed is told as taken, and nothing happens.
    await new Promise<void>((resolve) => {
      if (peer.transport.write(Buffer.from('late'), resolve)) resolve();
    });
    peer.close();
  });
});
