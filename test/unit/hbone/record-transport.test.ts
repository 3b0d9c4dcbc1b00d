import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { RecordTransport } from '../../../src/hbone/record-transport.ts';
import type { ByteTransport } from '../../../src/http2/transport.ts';
import { eventually } from '../../helpers/eventually.ts';
import { RecordingSink, securePair, type TlsKind } from '../../helpers/secure-pair.ts';

const KINDS: readonly (readonly [TlsKind, TlsKind])[] = [
  ['own', 'own'],
  ['own', 'node'],
  ['node', 'own'],
];

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
